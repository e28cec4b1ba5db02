"""What was written, to be shown again: there is only so much of it, and what is replaced counts once."""

import pytest

from app.services import shown
from app.services.shown import PLACE, Answers, Piece, Shown, Tables


def piece(size: int) -> Piece:
    return Piece(b"x" * size, frozenset())


def test_answers_are_dropped_by_what_they_weigh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "MOST_ANSWERS", 3 * (PLACE + 10))
    answers = Answers()
    for key in ("one", "two", "three"):
        assert answers.keep(key, b"x" * 10) == b"x" * 10
    assert list(answers) == ["one", "two", "three"]

    answers.keep("four", b"")
    assert list(answers) == ["four"]

    answers.keep("five", b"x" * 10)
    answers.keep("six", b"x" * 20)
    assert len(answers) == 3, "what was dropped is not counted any more"


def test_an_answer_that_is_replaced_is_weighed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "MOST_ANSWERS", 3 * (PLACE + 10))
    answers = Answers()
    answers.keep("one", b"")
    for _ in range(10):
        answers.keep("two", b"x" * 20)
    assert list(answers) == ["one", "two"]

    answers.keep("two", b"")
    answers.keep("three", b"x" * 30)
    assert len(answers) == 3, "what there was of it is not counted any more"

    answers.keep("four", b"")
    assert list(answers) == ["four"]


def test_people_are_dropped_by_what_they_weigh_in_all_selections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "MOST_BYTES", 4 * (PLACE + 10))
    kept = Shown()
    kept.keep("a", {"ana": piece(10), "ben": piece(10)})
    for _ in range(10):
        kept.keep("b", {"ana": piece(10)})
    assert (set(kept.find("a")), set(kept.find("b"))) == ({"ana", "ben"}, {"ana"})

    less = kept.without({"ana", "nobody"})
    less.keep("c", {"cleo": piece(10), "dora": piece(10), "emil": piece(10)})
    assert [set(less.find(key)) for key in "abc"] == [{"ben"}, set(), {"cleo", "dora", "emil"}]

    kept.keep("c", {"cleo": piece(10), "dora": piece(10)})
    assert [set(kept.find(key)) for key in "abc"] == [set(), set(), {"cleo", "dora"}]


def test_people_are_dropped_with_one_selection_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "MOST_KEYS", 2)
    kept = Shown()
    for key in ("a", "b", "a"):
        kept.keep(key, {"ana": piece(1)})
    assert kept.find("a") and kept.find("b")

    kept.keep("c", {"ana": piece(1)})

    assert [len(kept.find(key)) for key in "abc"] == [0, 0, 1]


def test_rights_are_dropped_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "MOST_PIECES", 4)
    tables: Tables[str] = Tables()
    tables.keep("a", ["x", "y"], {0: "X", 1: "Y"})
    for _ in range(10):
        tables.keep("a", ["x", "z"], {1: "Z"})
    assert tables.find("a", ["x", "y"]) == ["X", "Y"]
    assert tables.find("a", ["y", "z"]) == [None, "Z"], "each is at its place"

    tables.keep("b", ["x"], {0: "X"})
    assert tables.find("a", ["x", "z"]) == ["X", "Z"]
    tables.keep("b", ["y"], {0: "Y"})
    assert (tables.find("a", ["x", "z"]), tables.find("b", ["y"])) == ([None, None], ["Y"])


def test_rights_are_dropped_with_one_selection_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "MOST_TABLES", 2)
    tables: Tables[str] = Tables()
    for key in "aba":
        tables.keep(key, ["x"], {0: "X"})
    assert tables.find("a", ["x"]) == tables.find("b", ["x"]) == ["X"]

    tables.keep("c", ["x"], {0: "X"})

    assert [tables.find(key, ["x"]) for key in "abc"] == [[None], [None], ["X"]]
