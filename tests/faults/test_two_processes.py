"""F9: two processes on one file take turns, and each round comes out as one of the serial orders of its moves.

`tests/services/test_races.py` runs two of these families always, and all of them within one process.
"""

import pytest

from app.domain.callers import Right
from tests.factories import Template, select
from tests.faults.conftest import Figure
from tests.moves import (
    Move,
    archive_role,
    assign,
    by,
    create_user,
    demote,
    edit_role,
    grant,
    rename,
    revoke,
    suspend,
    transfer,
)
from tests.services.test_races import MENU, REAL_TIME, SHOW_PHONE, Racing, racing, rivals

__all__ = ["racing", "rivals"]

CONTACTS = "desk.staff.edit_contacts"
FAMILIES: dict[str, tuple[list[Move], list[Move]]] = {
    "the last owner: each demotes the other": ([by("olga", demote, "ina")], [by("ina", demote, "olga")]),
    "the last owner: both step down": ([by("olga", demote, "olga")], [by("ina", demote, "ina")]),
    "the last owner: one is suspended": ([by("olga", demote, "olga")], [by("olga", suspend, "ina")]),
    "a prerequisite is revoked": (
        [by("olga", revoke, "role", "agents", MENU)], [by("ina", grant, "user", "ana", REAL_TIME)],
    ),
    "a role is archived": (
        [by("olga", archive_role, "agents")],
        [by("ina", assign, "cleo", "agents"), by("ina", grant, "user", "cleo", REAL_TIME)],
    ),
    "a name changes hands": (
        [by("olga", rename, "ana", "anna"), by("olga", rename, "cleo", "ana")],
        [by("ina", grant, "user", "ana", CONTACTS)],
    ),
    "one name is taken twice": ([by("olga", create_user, "eva")], [by("ina", rename, "cleo", "eva")]),
    "the right to grant is lost": (
        [by("olga", revoke, "user", "sam", Right.GRANT_RIGHTS)], [by("sam", grant, "user", "cleo", SHOW_PHONE)],
    ),
    "what is given is lost": (
        [by("olga", revoke, "user", "sam", SHOW_PHONE)], [by("sam", grant, "user", "cleo", SHOW_PHONE)],
    ),
    "a contract goes to somebody who is suspended": (
        [by("olga", transfer, "C-1", "cleo")], [by("ina", suspend, "cleo")],
    ),
    "one key is sent twice": (
        [by("olga", grant, "user", "cleo", CONTACTS, key="once")],
        [by("olga", grant, "user", "cleo", CONTACTS, key="once")],
    ),
}  # fmt: skip


@pytest.mark.deep
@pytest.mark.parametrize("family", FAMILIES)
async def test_f9_two_processes_on_one_file_take_turns(family: str, racing: Racing, figure: Figure) -> None:
    race = racing(*FAMILIES[family])

    await race.run_in_processes(200)

    figure(f"F9: {family}: 200 rounds, orders {sorted(race.seen.values(), reverse=True)}, 0 that are none")


@pytest.mark.deep
async def test_f9_two_processes_edit_one_role(racing: Racing, rivals: Template, figure: Figure) -> None:
    """A8: the second is told that it is another by now."""
    seen = select(rivals.path, "SELECT max(revision) FROM audit_entries")[0][0]
    race = racing(
        [by("olga", edit_role, "agents", display_name="Agents", expected_revision=seen)],
        [by("ina", edit_role, "agents", description="Who answer calls", expected_revision=seen)],
    )  # fmt: skip

    await race.run_in_processes(200)

    figure(f"F9: two editors: 200 rounds, orders {sorted(race.seen.values(), reverse=True)}, 0 that are none")
