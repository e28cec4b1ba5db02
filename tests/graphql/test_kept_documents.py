"""Documents that were read are kept: the hot ones through any flood, and never more than there is room for."""

import pytest
from graphql import GraphQLError

from app.domain.callers import Caller
from app.domain.holders import UserId
from app.graphql.documents import (
    AGAIN,
    AGAIN_SIZE,
    ONCE,
    ONCE_SIZE,
    REFUSED,
    Documents,
    Refusals,
    Shelf,
    weigh,
)
from app.graphql.execution import Executor, Request, RequestFault
from tests.factories import executor

OLGA = Caller(user=UserId("u_olga"), user_name="olga")


def fresh() -> Executor:
    """The schema of all tests, without a document."""
    known = executor()
    other = known.under(known.policy)
    other._forget_documents()
    return other


def refuse(by: Executor, text: str, *, may_introspect: bool = True) -> list[GraphQLError]:
    with pytest.raises(RequestFault) as fault:
        by.prepare(text, may_introspect=may_introspect)
    return fault.value.errors


def recall(by: Executor, text: str) -> bool:
    return by.recall_document(Request(query=text), OLGA) is not None


# ---------------------------------------------------------------------- what is kept


def test_a_flood_of_documents_moves_nothing_that_is_in_use() -> None:
    kept: Documents[int] = Documents()
    for number in range(AGAIN):
        kept.keep(f"hot {number}", number)
        assert kept.find(f"hot {number}") == number

    for number in range(20 * AGAIN):
        kept.keep(f"flood {number}", number)

    assert [kept.find(f"hot {number}") for number in range(AGAIN)] == list(range(AGAIN))
    assert (len(kept.again), len(kept.once)) == (AGAIN, ONCE)


def test_of_what_was_asked_again_the_one_not_used_for_longest_gives_way() -> None:
    kept: Documents[int] = Documents()
    for number in range(AGAIN + 1):
        kept.keep(f"{number}", number)
        kept.find(f"{number}")
        kept.find("0")

    assert kept.find("0") == 0
    assert kept.find("1") is None
    assert kept.find("2") == 2


@pytest.mark.parametrize(("shelf", "size"), [("once", ONCE_SIZE), ("again", AGAIN_SIZE)])
def test_long_documents_are_kept_as_far_as_there_is_room(shelf: str, size: int) -> None:
    kept: Documents[int] = Documents()
    for number in range(100):
        text = f"{number} " + "x" * (size // 50)  # its plan weighs four times as much
        kept.keep(text, number)
        if shelf == "again":
            kept.find(text)

    found: Shelf[int] = getattr(kept, shelf)
    assert 8 <= len(found) <= 10
    assert found.filled <= size
    assert found.filled == sum(size for _, size in found._kept.values())


def test_a_plan_weighs_as_much_as_it_may_have_variants() -> None:
    """Each condition may double them, up to as many as a plan is made in."""
    assert [weigh("x" * 10 + "@" * count) for count in (0, 1, 2, 4, 60)] == [50, 11 * 9, 12 * 17, 14 * 65, 70 * 65]


def test_one_that_is_larger_than_the_shelf_is_kept_alone() -> None:
    shelf: Shelf[str] = Shelf(10, 10)
    shelf.put("a", "small", 4)
    shelf.put("b", "large", 11)

    assert (shelf.find("a"), shelf.find("b"), shelf.filled) == (None, "large", 11)
    shelf.put("c", "small", 4)
    assert (shelf.find("b"), shelf.find("c"), shelf.filled) == (None, "small", 4)


def test_what_was_kept_is_replaced_and_counted_once() -> None:
    shelf: Shelf[int] = Shelf(10, 10)
    shelf.put("a", 1, 6)
    shelf.put("a", 2, 7)

    assert (shelf.find("a"), shelf.filled, len(shelf)) == (2, 7, 1)


def test_refusals_are_kept_in_number_and_without_their_text() -> None:
    kept: Refusals[int] = Refusals()
    for number in range(2 * REFUSED):
        kept.keep(f"{number} " + "x" * 10_000, number)

    assert len(kept.kept) == REFUSED
    assert kept.find(f"{2 * REFUSED - 1} " + "x" * 10_000) == 2 * REFUSED - 1
    assert all(len(digest) == 32 for digest, _ in kept.kept._kept)


def test_half_a_character_is_a_text_like_any_other() -> None:
    kept: Refusals[int] = Refusals()
    kept.keep("\ud800", 1)

    assert (kept.find("\ud800"), kept.find("\ud801")) == (1, None)


# ---------------------------------------------------------------------- what the executor makes of it


def test_a_document_is_read_once() -> None:
    by = fresh()

    first = by.prepare("{ revision }")

    assert by.prepare("{ revision }") is first
    assert by.recall_document(Request(query="{ revision }"), OLGA) is first
    assert by.prepare("{ revision } ") is not first  # another text


def test_a_document_that_was_never_seen_is_not_recalled() -> None:
    by = fresh()

    assert not recall(by, "{ revision }")
    by.prepare("{ revision }")
    assert recall(by, "{ revision }")
    by._forget_documents()
    assert not recall(by, "{ revision }")


def test_who_may_not_introspect_is_given_an_answer_of_their_own() -> None:
    by, text = fresh(), "{ __schema { types { name } } }"

    by.prepare(text)

    assert refuse(by, text, may_introspect=False)
    assert refuse(by, text, may_introspect=False)  # as it is kept
    by.prepare(text)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{ nothing }",
        "{ revision }" * 3,
        "query ($a: Int) { revision }",
        "{ x: revision x: viewer { user { id } } }",
    ],
)
def test_a_refusal_is_kept_to_the_letter_and_holds_on_to_nothing(text: str) -> None:
    by = fresh()

    first = [error.formatted for error in refuse(by, text)]
    kept = by._refusals.find(text, True)
    again = [error.formatted for error in refuse(by, text)]

    assert first == again
    assert kept is not None
    assert all(error.nodes is None and error.source is None for error in kept.errors)
    with pytest.raises(RequestFault) as fault:
        by.recall_document(Request(query=text), OLGA)
    assert [error.formatted for error in fault.value.errors] == first
