"""What `INCLUDE` adds, where windows and contracts cross (SEMANTICS section 6): enough, and nothing to spare.

Random worlds found these (`test_laws_of_writing`); here they are looked at every time.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count

from app.domain.catalog import Catalog
from app.domain.catalog_building import DraftRule
from app.domain.changes import MissingPrerequisites, Outcome, Stamp, Wish, judge
from app.domain.compiled import compile_catalog
from app.domain.holders import Contract, ContractId, Grant, Record, RowId, User, UserId
from app.domain.values import Level, LevelType, Switch
from app.domain.world import Change, World
from tests.drafts import catalog_of, permission, subject
from tests.worlds import NOON

ANN, C = UserId("ann"), ContractId("c")
RECORDS: tuple[Record, ...] = (
    User(id=ANN, user_name="ann", display_name="Ann"),
    Contract(id=C, number="1", name="c", owner=UserId("owner"), products=frozenset({"tel"})),
)
ON = Switch(True)
LEANING = catalog_of(permission("alfa.lean", None, subject("need")), permission("alfa.need"))
ids = count()


def day(number: int) -> datetime:
    return NOON + timedelta(days=number)


def grant(
    node: str, since: int | None = None, until: int | None = None, *, contract: ContractId | None = None,
    value: Switch | Level = ON,
) -> Grant:  # fmt: skip
    return Grant(
        id=RowId(f"row{next(ids)}"), holder=ANN, node=node, value=value, contract=contract, created_at=NOON,
        valid_from=None if since is None else day(since), valid_until=None if until is None else day(until),
    )  # fmt: skip


def including(catalog: Catalog, held: Iterable[Grant], asked: Iterable[Grant]) -> Outcome:
    wish = Wish(
        changes=tuple(Change(None, row) for row in asked), asked=frozenset({ANN}),
        on_missing=MissingPrerequisites.INCLUDE,
    )  # fmt: skip
    stamp = Stamp(actor="somebody", at=NOON, new_id=lambda kind: f"new{next(ids)}")
    return judge(compile_catalog(catalog), World.of((*RECORDS, *held)), wish, stamp)


def added(outcome: Outcome) -> list[tuple[str, ContractId | None, datetime | None, datetime | None]]:
    assert outcome.errors == ()
    rows = [change.after for change in outcome.changes if change.record.id.startswith("new")]
    return [(row.node, row.contract, row.valid_from, row.valid_until) for row in rows if isinstance(row, Grant)]


def test_what_is_added_everywhere_for_a_time_is_not_added_in_a_contract_too_where_something_else_follows() -> None:
    held = [grant("alfa.need", 2)]
    asked = [grant("alfa.lean", 1, 2), grant("alfa.lean", 1, contract=C)]

    assert added(including(LEANING, held, asked)) == [("alfa.need", None, day(1), day(2))]


def test_what_is_added_everywhere_for_a_time_is_added_in_a_contract_too_where_nothing_else_follows() -> None:
    asked = [grant("alfa.lean", 1, 2), grant("alfa.lean", 1, contract=C)]

    assert added(including(LEANING, [], asked)) == [
        ("alfa.need", None, day(1), day(2)), ("alfa.need", C, day(1), None),
    ]  # fmt: skip


def test_what_something_else_covers_for_a_while_is_added_all_the_same() -> None:
    asked = [grant("alfa.lean", 1, 2), grant("alfa.lean", 1, contract=C)]

    assert added(including(LEANING, [grant("alfa.need", 2, 3)], asked)) == [
        ("alfa.need", None, day(1), day(2)), ("alfa.need", C, day(1), None),
    ]  # fmt: skip


def test_of_three_windows_the_one_that_the_others_cover_gets_nothing() -> None:
    asked = [grant("alfa.lean", 1, 4), grant("alfa.lean", 2, 5), grant("alfa.lean", 3, 6)]

    assert added(including(LEANING, [], asked)) == [
        ("alfa.need", None, day(3), day(6)), ("alfa.need", None, day(1), day(4)),
    ]  # fmt: skip


def test_what_fails_only_when_another_row_begins_is_completed_as_well() -> None:
    catalog = catalog_of(permission("alfa.lean", None, subject("need")), permission("alfa.need"), permission("alfa.z"))

    outcome = including(catalog, [grant("alfa.need", None, 2)], [grant("alfa.lean"), grant("alfa.z", 3)])

    assert added(outcome) == [("alfa.need", None, None, None)]


def test_what_an_unscoped_row_breaks_in_one_contract_alone_is_completed_as_the_row_is() -> None:
    levels = LevelType(("No access", "Some", "More"))
    catalog = catalog_of(
        permission("alfa.lean", levels, subject("need"), DraftRule(subject("more"), "more")),
        permission("alfa.need"), permission("alfa.more"),
    )  # fmt: skip
    held = [grant("alfa.lean", value=Level(1)), grant("alfa.need", contract=C)]  # suspended but for the contract

    outcome = including(catalog, held, [grant("alfa.lean", value=Level(2))])

    assert added(outcome) == [("alfa.more", None, None, None)]
