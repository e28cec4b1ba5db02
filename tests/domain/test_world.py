"""Worlds: records that join at once, and changes one after the other, lead to the same."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.holders import Assignment, Membership, Record, Role, RoleId, RowId, Team, TeamId, User, UserId
from app.domain.world import Change, World
from tests.factories import START

NUMBERS = st.integers(0, 3)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A record of one of few ids, so that many are drawn twice."""
    number, holder, name = draw(NUMBERS), draw(NUMBERS), draw(st.sampled_from("ab"))
    match draw(st.integers(0, 4)):
        case 0:
            return User(id=UserId(f"usr_{number}"), user_name=name, display_name=name)
        case 1:
            return Role(id=RoleId(f"rol_{number}"), key=name, display_name=name)
        case 2:
            return Team(id=TeamId(f"tea_{number}"), key=name, display_name=name)
        case 3:
            return Assignment(
                id=RowId(f"asg_{number}"), holder=UserId(f"usr_{holder}"), role=RoleId(name), created_at=START
            )
    return Membership(id=RowId(f"mem_{number}"), user=UserId(f"usr_{holder}"), team=TeamId(name), created_at=START)


@given(st.lists(records()), st.lists(records()))
def test_joining_is_what_as_many_creations_are(there: list[Record], new: list[Record]) -> None:
    world = World.of(there)
    assert world == World().changed(Change(None, record) for record in there)

    joined = world.joined(new)

    changed = world.changed(Change(None, record) for record in new)
    assert joined == changed
    assert [list(rows) for rows in joined.rows.values()] == [list(rows) for rows in changed.rows.values()]
    assert list(joined.users) == list(changed.users)
    assert world == World.of(there)  # and stays what it was
