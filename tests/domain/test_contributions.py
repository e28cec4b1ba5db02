"""Paths of rights: a grant that cannot bring a right along is not followed, and no path is missed for that."""

import random

import pytest

from app.domain import contributions
from app.domain.compiled import Holding
from app.domain.contributions import Contribution, find_contributions
from app.domain.holders import HolderId
from app.domain.rights import Evaluation
from tests.domain.test_laws import Case, on_random_worlds
from tests.worlds import POOL_SIZE, Pool, draw_case

Paths = dict[tuple[HolderId, str], tuple[Contribution, ...]]


def find_all(evaluation: Evaluation) -> Paths:
    """The paths of every right to everybody, and to every role and team."""
    world, keys = evaluation.world, [permission.key for permission in evaluation.program.catalog.permissions]
    holders: list[HolderId] = [*world.users, *world.roles, *world.teams]
    return {(holder, key): find_contributions(evaluation, holder, key) for holder in holders for key in keys}


def follow_every_grant(evaluation: Evaluation) -> None:
    """From now on any grant is followed for any right, as if it could bring it along."""
    numbers = range(len(evaluation.program.types))
    evaluation.program.__dict__["givers"] = tuple(frozenset(numbers) for _ in numbers)


@on_random_worlds(300)
def test_no_path_is_missed_by_what_is_not_followed(case: Case) -> None:
    evaluation = case.evaluate()
    found = find_all(evaluation)
    follow_every_grant(evaluation)
    assert find_all(evaluation) == found


def test_only_what_may_bring_a_right_along_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    followed, carry = list[Holding](), contributions._carry

    def count(evaluation: Evaluation, given: Holding, holders: tuple[HolderId, ...]) -> Holding:
        followed.append(given)
        return carry(evaluation, given, holders)

    monkeypatch.setattr(contributions, "_carry", count)
    few = many = 0
    for seed in range(30):
        evaluation = draw_case(Pool(random.Random(seed).randbytes(POOL_SIZE))).evaluate()
        followed.clear()
        find_all(evaluation)
        few += len(followed)
        follow_every_grant(evaluation)
        followed.clear()
        find_all(evaluation)
        many += len(followed)
    assert 0 < 3 * few < many
