"""A plan is the same whoever is in the world: whom a feed may mean alone, everybody, or whom it does not settle."""

import json
import random
from collections import Counter
from typing import Any

import pytest

from app.domain.callers import Caller, Right
from app.domain.holders import UserId
from app.domain.sync.desired import SyncMode
from app.services.sync import planning
from app.services.sync.planning import SyncAnswer
from tests.factories import Gateway, select
from tests.synced import apply, olga, plan

PERMISSIONS = ("desk.reports.menu", "desk.reports.real_time", "desk.reports.spy", "desk.staff.read_contacts")
ROLES, TEAMS = ("r1", "r2", "r3", "agents", "writers"), ("t1", "t2", "support")
SYNCING = (
    Right.VIEW_SYNC, Right.RUN_SYNC, Right.VIEW_USERS, Right.MANAGE_USERS, Right.VIEW_ROLES, Right.VIEW_TEAMS,
    Right.VIEW_CONTRACTS, Right.VIEW_RIGHTS, Right.GRANT_RIGHTS, Right.MANAGE_ROLES, Right.MANAGE_MEMBERS,
    Right.MANAGE_TEAMS,
)  # fmt: skip
LISTS = (("users",), ("users",), ("roles",), ("teams",), ("users", "roles"), ("roles", "teams", "users"))


class Feeds:
    """Draws feeds of a few people, roles and teams, sensible ones and others."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def some(self, of: tuple[str, ...], most: int) -> list[str]:
        return self.chance.sample(of, self.chance.randrange(most + 1))

    def maybe(self, name: str, value: Any) -> dict[str, Any]:
        return {name: value} if self.chance.random() < 0.6 else {}

    def draw(self) -> bytes:
        lists = self.chance.choice(LISTS)
        lines: list[dict[str, Any]] = []
        if "roles" in lists:
            lines += [
                {
                    "role": {
                        "key": key,
                        "grants": self.some(PERMISSIONS, 2),
                        **self.maybe("parents", self.some(ROLES, 1)),
                    }
                }
                for key in self.some(ROLES, 3)
            ]
        if "teams" in lists:
            lines += [
                {"team": {"key": key, **self.maybe("roles", self.some(ROLES, 2)), **self.maybe("parent", "t1")}}
                for key in self.some(TEAMS, 2)
            ]
        if "users" in lists:
            lines += [{"user": self.draw_person(number)} for number in self.chance.sample(range(10), 7)]
        return "".join(json.dumps(line) + "\n" for line in lines or [{"team": {"key": "t2"}}]).encode()

    def draw_person(self, number: int) -> dict[str, Any]:
        name = self.chance.choice([f"u{number}"] * 6 + [f"u{number + 1}", "ana", "cleo"])
        level = self.chance.choice(["USER", "ADMINISTRATOR"])
        return {
            "externalId": f"e{number}", "userName": name, "active": self.chance.random() < 0.85,
            **self.maybe("roles", self.some(ROLES, 2)), **self.maybe("teams", self.some(TEAMS, 1)),
            **self.maybe("email", self.chance.choice(["a@b.example", None])),
            **(self.maybe("access", [f"C-1:core:{level}"]) if number < 3 else {}),
        }  # fmt: skip


def told(answer: SyncAnswer) -> object:
    """All that a plan says, but for its id; of one who may not plan, that alone."""
    errors = sorted((error.code.value, str(error), error.path) for error in answer.errors)
    run = answer.run
    return errors if run is None else (run.status, run.fingerprint, run.counts, run.brake, errors)


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.deep) for seed in range(2, 40))]
)  # fmt: skip
async def test_a_plan_does_not_hang_on_who_is_loaded(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await world.trust("cleo", *SYNCING, PERMISSIONS[0])
    await world.create_service_account("bot", "agents")
    await world.trust("bot", *SYNCING, *PERMISSIONS)
    callers = [olga(world.owner)]
    for name in ("cleo", "bot"):
        ((found,),) = select(world.path, "SELECT id FROM users WHERE user_name = ? AND ended_revision IS NULL", name)
        callers.append(Caller(user=UserId(found), user_name=name))
    feeds, statuses, can_be_skimmed = Feeds(seed), Counter[str](), planning._can_be_skimmed
    for _ in range(20):
        feed, caller = feeds.draw(), feeds.chance.choice([callers[0], *callers])
        given: dict[str, Any] = {
            "mode": feeds.chance.choice(list(SyncMode)), "take_over": feeds.chance.random() < 0.3,
            "source": feeds.chance.choice(["hr", "hr", "idp"]),
        }  # fmt: skip
        answers = []
        for most, is_skimmed in ((500, False), (-1, False), (0, True)):  # those named, everybody, the unsettled
            monkeypatch.setattr(planning, "NAMED_AT_MOST", most)
            monkeypatch.setattr(planning, "_can_be_skimmed", can_be_skimmed if is_skimmed else lambda *_feed: False)
            answers.append(await plan(world.services, caller, feed, **given))
        named, everybody, skimmed = map(told, answers)
        assert named == everybody == skimmed, f"seed {seed}, {caller.user_name}, {given}:\n{feed.decode()}"
        run = feeds.chance.choice(answers).run
        if run is not None:
            done = await apply(world.services, caller, run)
            assert done.run is not None
            statuses[done.run.status] += 1
    assert statuses["APPLIED"] > 3 and statuses["REFUSED"] > 0
