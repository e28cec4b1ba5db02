"""Whose doing it is that somebody is down: of the versions of each, the last step downwards counts."""

import pytest

from app.domain.holders import UserStatus
from app.domain.sync.idleness import Version, depth_of, find_held_down

HR, HAND = "hr", "manual"


@pytest.mark.parametrize(
    ("steps", "is_held"),
    [
        pytest.param([(0, HR)], False, id="was never down"),
        pytest.param([(0, HR), (1, HAND)], True, id="suspended by hand"),
        pytest.param([(0, HAND), (1, HR)], False, id="suspended by the source"),
        pytest.param([(0, HR), (1, HR), (2, HAND)], True, id="archived by hand after the source had suspended them"),
        pytest.param([(0, HR), (1, HAND), (2, HR)], False, id="archived by the source after a hand had suspended them"),
        pytest.param([(0, HR), (1, HAND), (0, HAND), (1, HR)], False, id="woken in between"),
        pytest.param([(0, HR), (1, HR), (1, HAND)], False, id="renamed by hand while the source had them suspended"),
        pytest.param([(0, HR), (1, HAND), (1, HR)], True, id="renamed by the source while a hand had them suspended"),
        pytest.param([(0, HR), (2, HAND), (1, HR)], True, id="lifted half the way by the source"),
        pytest.param([(1, HAND)], True, id="made down"),
        pytest.param([(0, HR), (1, HAND), (0, HR)], False, id="is awake"),
    ],
)
def test_the_last_step_down_says_whose_doing_it_is(steps: list[tuple[int, str]], is_held: bool) -> None:
    versions = [Version("zoe", depth, source) for depth, source in steps]
    assert find_held_down(versions, HR) == ({"zoe"} if is_held else set())


def test_everybody_is_judged_by_their_own_versions() -> None:
    versions = [
        Version("ann", 0, HR), Version("ann", 1, HAND),
        Version("bea", 1, HR),
        Version("cem", 1, "idp"),
    ]  # fmt: skip
    assert find_held_down(versions, HR) == {"ann", "cem"}
    assert find_held_down(versions, HAND) == {"bea", "cem"}
    assert find_held_down([], HR) == frozenset()


def test_archived_is_further_down_than_suspended() -> None:
    assert [depth_of(status) for status in (UserStatus.ACTIVE, UserStatus.SUSPENDED, UserStatus.ARCHIVED)] == [0, 1, 2]
