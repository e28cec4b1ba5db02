"""applySync: a plan is done once, whole, as it was looked through, or not at all."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.callers import Right
from app.domain.sync.drafts import Draft
from app.services.sync import applying
from app.services.sync.planning import draft_plan
from app.services.systems import adopt_catalog, find_catalog_files
from tests.factories import SEEDS, Answer, Gateway, each_of, holder, select
from tests.syncing import (
    applied,
    apply,
    codes,
    counts,
    items,
    level,
    person,
    plan,
    planned,
    role,
    sync,
)

MENU = {"permission": "desk.reports.menu"}
EVERYBODY = [person(f"p{number}", roles=[role("agents")]) for number in range(20)]
DORA = person("dora", displayName="Dora", roles=[role("agents")], teams=[{"key": "support"}], access=[level()])
UNKNOWN = {"id": "syn_00000000000000000000000000", "fingerprint": "0" * 64}
RUNNER = (
    Right.VIEW_SYNC, Right.RUN_SYNC, Right.VIEW_USERS, Right.MANAGE_USERS, Right.VIEW_ROLES, Right.VIEW_TEAMS,
    Right.VIEW_CONTRACTS, Right.VIEW_RIGHTS,
)  # fmt: skip
Do = Callable[[Gateway], Awaitable[object]]


async def user(world: Gateway, name: str, select_: str) -> Answer:
    found: Answer = (await world.gql(f'{{ user(ref: {{userName: "{name}"}}) {{ {select_} }} }}'))["user"]
    return found


# ---------------------------------------------------------------------- done


async def test_brings_about_what_was_planned_as_one_revision(world: Gateway) -> None:
    run = await planned(world, users=[DORA], roles=[{"key": "leads", "grants": [MENU]}])
    before = await world.head()
    world.clock.advance(minutes=5)

    payload = await apply(world, run, reason="the first night")

    done = payload["run"]
    assert (payload["errors"], payload["warnings"]) == ([], [])
    changed = {"status", "revision", "appliedAt", "appliedBy", "reason"}
    assert {name: value for name, value in done.items() if name not in changed} == {
        name: value for name, value in run.items() if name not in changed
    }
    assert {name: done[name] for name in changed} == {
        "status": "APPLIED", "revision": str(int(before["revision"]) + 1), "appliedAt": "2026-06-01T09:05:00Z",
        "appliedBy": "olga", "reason": "the first night",
    }  # fmt: skip
    assert await user(world, "dora", "externalId displayName status roles { source revision role { key } }") == {
        "externalId": "e-dora", "displayName": "Dora", "status": "ACTIVE",
        "roles": [{"source": "hr", "revision": done["revision"], "role": {"key": "agents"}}],
    }  # fmt: skip


async def test_its_audit_entry_tells_source_actor_reason_and_every_change(world: Gateway) -> None:
    run = await planned(world, users=[DORA])
    before = await world.head()

    done = await applied(world, run, reason="the first night")

    entry = await world.head()
    assert {name: entry[name] for name in ("revision", "actor", "source", "action", "reason", "previousHash")} == {
        "revision": done["revision"], "actor": "olga", "source": "hr", "action": "applySync",
        "reason": "the first night", "previousHash": before["hash"],
    }  # fmt: skip
    assert [change["action"] for change in entry["changes"]] == ["create_user", "assign", "add_member", "set_level"]
    dora = (await user(world, "dora", "id"))["id"]
    assert {subject["id"] for subject in entry["subjects"]} == {
        dora, *(world.ids[key] for key in ("agents", "support", "C-1"))
    }  # fmt: skip
    assert (await world.gql("{ verifyAudit { ok } }"))["verifyAudit"]["ok"]


async def test_the_answer_is_of_the_revision_that_it_brought_about(world: Gateway) -> None:
    run = await planned(world, users=[DORA])
    document = """mutation($input: ApplySyncInput!) {
      applySync(input: $input) { run { revision items(first: 0) { totalCount } } } }"""

    answer = await world.ask(document, {"input": {"plan": run["id"], "fingerprint": run["fingerprint"]}})

    done = answer["data"]["applySync"]["run"]
    assert answer["extensions"]["revision"] == done["revision"]
    assert done["items"]["totalCount"] == 4


async def test_fields_of_one_document_are_done_in_order_each_seen_as_it_is_after_it(world: Gateway) -> None:
    run = await planned(world, users=[DORA])
    before = await world.revision()
    document = """mutation($plan: ID!, $fingerprint: String!) {
      before: planSync(input: {source: "hr", users: [{externalId: "e-emil", userName: "emil"}]}) {
        run { baseRevision items(action: CREATE) { totalCount } }
      }
      apply: applySync(input: {plan: $plan, fingerprint: $fingerprint}) { run { status items { totalCount } } }
      after: planSync(input: {source: "hr", users: [{externalId: "e-emil", userName: "emil"}], maxRemovals: 0}) {
        run { baseRevision items(action: REMOVE) { totalCount } } warnings { code }
      }
    }"""

    data = await world.gql(document, {"plan": run["id"], "fingerprint": run["fingerprint"]})

    assert data == {
        "before": {"run": {"baseRevision": str(before), "items": {"totalCount": 1}}},
        "apply": {"run": {"status": "APPLIED", "items": {"totalCount": 4}}},
        "after": {
            "run": {"baseRevision": str(before + 1), "items": {"totalCount": 3}}, "warnings": [{"code": "BRAKE"}] * 3
        },
    }  # fmt: skip


async def test_applied_twice_it_gives_its_run_and_the_plan_after_it_is_empty(world: Gateway) -> None:
    run = await planned(world, users=[DORA])
    done = await applied(world, run, reason="once")
    await world.services.uses.finish()

    async with world.unchanged():
        again = await apply(world, run, reason="twice")
    nothing = await planned(world, users=[DORA])
    head = await world.head()
    after = await applied(world, nothing)

    assert again == {"run": done, "errors": [], "warnings": []}
    assert (counts(nothing), items(nothing)) == ({"unchanged": 1}, [])
    assert after["revision"] == done["revision"] == head["revision"]
    assert await world.head() == head, "what changes nothing has no audit entry"


async def test_partial_applies_the_valid_rest(world: Gateway) -> None:
    payload = await plan(
        world, mode="PARTIAL", roles=[{"key": "spies", "grants": [{"permission": "desk.reports.spy"}]}],
        users=[person("emil", roles=[role("spies")]), DORA],
    )  # fmt: skip
    assert codes(payload["errors"]) == [
        ("PREREQUISITE_NOT_MET", "roles 0 grants 0 permission"), ("CONFLICT", "users 0")
    ]  # fmt: skip

    await applied(world, payload["run"])

    assert (await world.gql('{ role(ref: {key: "spies"}) { id } }'))["role"] is None
    assert await user(world, "emil", "id") is None
    assert (await user(world, "dora", "roles { role { key } }"))["roles"] == [{"role": {"key": "agents"}}]


async def test_sources_end_rows_of_their_own_alone(world: Gateway) -> None:
    await world.mutate("updateUser", {"user": {"userName": "cleo"}, "externalId": "e-cleo"})
    await world.assign(holder(user="cleo"), "agents")
    for source in ("hr", "idp"):
        await sync(world, source=source, users=[person("cleo", roles=[role("agents")])])

    await sync(world, users=[person("cleo", roles=[])], maxRemovals=1)

    rows = (await user(world, "cleo", "roles { source }"))["roles"]
    assert [row["source"] for row in rows] == ["manual", "idp"]


async def test_taking_over_tells_from_whom(world: Gateway) -> None:
    given = person("ana", displayName="Anna", roles=[role("agents")])
    run = await planned(world, users=[given], takeOver=True)

    await applied(world, run)

    entry = await world.head()
    (record,) = [change for change in entry["changes"] if change["action"] == "update_user"]
    assert "source: manual" in record["before"] and "source: hr" in record["after"]
    assert [change["action"] for change in entry["changes"] if change["role"]] == ["unassign", "assign"]
    assert [told.rpartition("; ")[2] for *_, told in items(run)[:2]] == ["taken over from `manual`"] * 2
    assert (await user(world, "ana", "displayName roles { source }")) == {
        "displayName": "Anna", "roles": [{"source": "hr"}]
    }  # fmt: skip


async def test_who_comes_back_is_woken(world: Gateway) -> None:
    await sync(world, users=EVERYBODY)
    await sync(world, users=EVERYBODY[1:])
    assert await user(world, "p0", "status roles { id }") == {"status": "SUSPENDED", "roles": []}

    await sync(world, users=EVERYBODY)

    found = await user(world, "p0", "status roles { role { key } }")
    assert found == {"status": "ACTIVE", "roles": [{"role": {"key": "agents"}}]}


# ---------------------------------------------------------------------- stopped


async def test_a22_a_feed_that_is_half_or_empty_takes_nothing_away(world: Gateway) -> None:
    await sync(world, users=EVERYBODY)
    half, empty = await planned(world, users=EVERYBODY[:10]), (await plan(world, users=[]))["run"]
    broken = await plan(world, users=[*EVERYBODY[:10], person("p10", roles=[role("agen")])])
    await world.services.uses.finish()

    async with world.unchanged():
        stopped = await apply(world, half)
        unreasoned = await apply(world, half, overrideBrake=True)
        blank = await apply(world, half, overrideBrake=True, reason=" ")
        emptied = await apply(world, empty, overrideBrake=True, reason="they have all left")
        refused = await apply(world, broken["run"], overrideBrake=True, reason="they have all left")

    assert [(error["code"], error["message"].partition(",")[0]) for error in stopped["errors"]] == [
        ("BRAKE", "10 of 20 assignments end"),
        ("BRAKE", "10 of 20 people are suspended"),
        ("BRAKE", "10 of 20 people lose a right"),
    ]
    assert stopped["run"] == half
    assert codes(unreasoned["errors"]) == codes(blank["errors"]) == [("INVALID_VALUE", "reason")]
    assert codes(emptied["errors"]) == [("BRAKE", "users")]
    assert codes(refused["errors"]) == [("NOT_FOUND", "users 10 roles 0 role")]
    active = await world.gql('{ users(filter: {search: "p1", status: ACTIVE}) { totalCount } }')
    assert active["users"]["totalCount"] == 11


async def test_the_brake_is_overridden_with_a_reason(world: Gateway) -> None:
    await sync(world, users=EVERYBODY)
    half = await planned(world, users=EVERYBODY[:10])

    done = await applied(world, half, overrideBrake=True, reason="the branch was closed")

    assert done["reason"] == (await world.head())["reason"] == "the branch was closed"
    assert done["brake"] == half["brake"]
    assert await user(world, "p10", "status") == {"status": "SUSPENDED"}
    assert await user(world, "p9", "status") == {"status": "ACTIVE"}


async def test_a_plan_that_was_refused_is_refused_with_its_reasons(world: Gateway) -> None:
    payload = await plan(world, users=[person("dora", roles=[role("nobody")]), person("emil")])
    await world.services.uses.finish()

    async with world.unchanged():
        again = await apply(world, payload["run"])

    assert again == {"run": payload["run"], "errors": payload["errors"], "warnings": []}


async def test_another_fingerprint_is_refused(world: Gateway) -> None:
    run, other = await planned(world, users=[DORA]), await planned(world, users=[person("emil")])
    await world.services.uses.finish()

    async with world.unchanged():
        payload = await apply(world, {**run, "fingerprint": other["fingerprint"]})

    assert codes(payload["errors"]) == [("INVALID_VALUE", "fingerprint")]
    assert payload["run"] == run


async def test_an_unknown_plan_is_not_found(world: Gateway) -> None:
    for one in (UNKNOWN, {**UNKNOWN, "id": world.ids["ana"]}, {**UNKNOWN, "id": "\u202e"}):
        payload = await apply(world, one)

        assert (payload["run"], codes(payload["errors"])) == (None, [("NOT_FOUND", "plan")])


@each_of(
    ("given", "path"),
    [
        ({"reason": "x" * 2001}, "reason"),
        ({"reason": "a\u202eb"}, "reason"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
    ],
)
async def test_what_cannot_be_kept_is_refused(world: Gateway, given: Answer, path: str) -> None:
    run = await planned(world, users=[DORA])

    payload = await apply(world, run, **given)

    assert codes(payload["errors"]) == [("INVALID_VALUE", path)]
    assert payload["run"]["status"] == "PLANNED"


# ---------------------------------------------------------------------- stale


async def _end_row(world: Gateway) -> object:
    """Of the source, by hand: the grant of a role that the plan does not even name."""
    row = (await world.gql('{ role(ref: {key: "leads"}) { grants { id } } }'))["role"]["grants"][0]["id"]
    return await world.mutate("revokePermissions", {"holder": holder(role="leads"), "revokes": [{"id": row}]})


async def _add_row(world: Gateway) -> object:
    return await sync(world, roles=[{"key": "leads", "grants": [MENU, {"permission": "desk.reports.export"}]}])


async def _rename_matched(world: Gateway) -> object:
    return await world.mutate("updateUser", {"user": {"userName": "dora"}, "email": "dora@example.org"})


async def _touch_holder(world: Gateway) -> object:
    return await world.grant(holder(user="cleo"), MENU)


async def _rename_unmanaged(world: Gateway) -> object:
    return await world.mutate("updateUser", {"user": {"userName": "cleo"}, "displayName": "Cleo C."})


STALE: list[tuple[Do, str]] = [
    (_end_row, "something of the source has changed"),
    (_add_row, "something of the source has changed"),
    (_rename_matched, "something of the source has changed, a person whom it names has changed"),
    (_touch_holder, "somebody whom it changes has changed"),
    (_rename_unmanaged, "somebody whom it changes has changed, a person whom it names has changed"),
]


@pytest.mark.parametrize(("meanwhile", "reason"), STALE)
async def test_a_plan_is_stale_when_something_that_it_read_has_changed(
    world: Gateway, meanwhile: Do, reason: str
) -> None:
    await world.mutate("updateUser", {"user": {"userName": "cleo"}, "externalId": "e-cleo"})
    await sync(world, users=[DORA], roles=[{"key": "leads", "grants": [MENU]}])
    run = await planned(world, users=[DORA, person("cleo", roles=[role("agents")])])
    await meanwhile(world)
    before = await world.revision()

    payload = await apply(world, run)
    again = await apply(world, run)

    (error,) = payload["errors"]
    assert (error["code"], error["path"]) == ("STALE_PLAN", ["plan"])
    assert error["message"] == f"{reason} since the plan was made: plan again"
    assert payload["run"]["status"] == "STALE"
    assert codes(again["errors"]) == [("STALE_PLAN", "plan")]
    assert await world.revision() == before
    assert await user(world, "cleo", "roles { id }") == {"roles": []}


async def _make_somebody(world: Gateway) -> object:
    await world.mutate("updateUser", {"user": {"userName": "ben"}, "displayName": "Ben B."})
    return await world.create_user("zoe")


async def _change_a_role_that_is_given(world: Gateway) -> object:
    return await world.mutate("updateRole", {"role": {"key": "agents"}, "displayName": "Agents"})


async def _run_another_source(world: Gateway) -> object:
    return await sync(world, source="idp", users=[person("emil", roles=[role("agents")])])


async def _give_what_is_there_by_hand(world: Gateway) -> object:
    return await world.assign(holder(user="dora"), "agents")


@pytest.mark.parametrize(
    "meanwhile",
    [_make_somebody, _change_a_role_that_is_given, _run_another_source, _give_what_is_there_by_hand],
)
async def test_it_is_not_stale_when_anything_else_has_changed(world: Gateway, meanwhile: Do) -> None:
    await world.mutate("updateUser", {"user": {"userName": "cleo"}, "externalId": "e-cleo"})
    await sync(world, users=[DORA])
    run = await planned(world, users=[DORA, person("cleo", roles=[role("agents")])])
    await meanwhile(world)

    await applied(world, run)

    assert (await user(world, "cleo", "roles { source }"))["roles"] == [{"source": "hr"}]


async def test_a_plan_of_another_catalog_is_stale(world: Gateway, tmp_path: Path) -> None:
    run = await planned(world, users=[DORA])
    shutil.copytree(SEEDS, tmp_path / "seeds")
    file = tmp_path / "seeds" / "desk.yaml"
    file.write_text(
        file.read_text("utf-8").replace("permission: Export", "permission: Export of it\n        key: export")
    )
    services = world.services
    services.program = await adopt_catalog(
        services.database, find_catalog_files(tmp_path / "seeds"), at=world.clock(), new_id=services.new_id
    )

    payload = await apply(world, run)

    assert [error["message"] for error in payload["errors"]] == [
        "the catalog has changed since the plan was made: plan again"
    ]
    assert (codes(payload["errors"]), payload["run"]["status"]) == ([("STALE_PLAN", "plan")], "STALE")
    await sync(world, users=[DORA])


async def test_a_plan_is_good_for_seven_days(world: Gateway) -> None:
    old, older = await planned(world, users=[DORA]), await planned(world, source="idp", users=[person("emil")])
    world.clock.advance(days=7, seconds=-1)
    await planned(world, users=[DORA])
    await applied(world, old)
    world.clock.advance(seconds=1)

    payload = await apply(world, older)

    assert [error["message"] for error in payload["errors"]] == [
        "7 days have passed since the plan was made: plan again"
    ]
    assert payload["run"]["status"] == "STALE"
    assert await user(world, "emil", "id") is None


async def test_a_rule_is_judged_again_on_what_is_so_then(world: Gateway) -> None:
    """What others have changed makes the plan break a rule that it did not break: it is refused, and not stale."""
    await world.create_role("watchers", MENU, "desk.reports.real_time")
    run = await planned(
        world,
        roles=[{"key": "spies", "grants": [{"permission": "desk.reports.spy"}], "parents": [{"key": "watchers"}]}],
    )
    await world.mutate(
        "revokePermissions",
        {"holder": holder(role="watchers"), "revokes": [{"permission": "desk.reports.real_time"}]},
    )
    await world.services.uses.finish()

    async with world.unchanged():
        payload = await apply(world, run)

    assert codes(payload["errors"]) == [("PREREQUISITE_NOT_MET", "roles 0 grants 0 permission")]
    assert payload["run"]["status"] == "PLANNED"


# ---------------------------------------------------------------------- who


async def test_who_may_apply_none_is_told_the_same_of_every_plan(world: Gateway) -> None:
    run = await planned(world, users=[DORA])
    nobody = await world.trust("cleo", Right.MANAGE_USERS, Right.VIEW_USERS)
    viewer = await world.trust("ana", Right.VIEW_SYNC)
    somewhere = await world.trust("ben", Right.RUN_SYNC, Right.VIEW_SYNC, contract="C-1")

    for secret in (nobody, viewer, somewhere):
        told = [await apply(world, one, token=secret) for one in (run, UNKNOWN, {**run, "fingerprint": "x"})]

        assert told[0] == told[1] == told[2]
        assert (told[0]["run"], codes(told[0]["errors"])) == (None, [("NOT_PERMITTED", "")])
    assert await user(world, "dora", "id") is None


async def test_who_loses_the_right_while_it_is_worked_out_is_refused_and_the_plan_stays(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right is there at the first look and gone at the second, which a commit of somebody else makes needed."""
    secret = await world.trust("cleo", *RUNNER)
    run = (await plan(world, token=secret, users=[person("dora")]))["run"]
    worked_out: list[object] = []

    async def draft_and_lose(*given: Any, **named: Any) -> Draft:
        worked_out.append(await draft_plan(*given, **named))
        asked = {"holder": holder(user="cleo"), "revokes": [{"permission": Right.RUN_SYNC}]}
        await world.mutate("revokePermissions", asked)
        return worked_out[-1]  # type: ignore[return-value]

    monkeypatch.setattr(applying, "draft_plan", draft_and_lose)
    payload = await apply(world, run, token=secret)

    assert len(worked_out) == 1
    assert (payload["run"]["status"], codes(payload["errors"])) == ("PLANNED", [("NOT_PERMITTED", "")])
    assert await user(world, "dora", "id") is None
    assert select(world.path, "SELECT status, revision FROM sync_runs") == [("PLANNED", None)]


async def test_guards_are_asked_again_and_who_tried_is_noted(world: Gateway) -> None:
    """Planned by somebody who could give it, applied by somebody who cannot."""
    run = await planned(world, users=[person("dora", roles=[role("agents")])])
    secret = await world.trust("cleo", *RUNNER, Right.GRANT_RIGHTS)
    before = await world.revision()

    payload = await apply(world, run, token=secret)

    assert codes(payload["errors"]) == [("DELEGATION_EXCEEDED", "users 0 roles 0")]
    assert await world.revision() == before
    async with world.services.database.reading(world.services.catalog) as unit:
        (event,) = await unit.security.read(limit=10)
    assert (event.actor, event.action) == ("cleo", "applySync")
    assert [code for code, _ in event.refusals] == ["DELEGATION_EXCEEDED"]

    await world.trust("cleo", MENU["permission"])
    done = await apply(world, run, token=secret)
    assert (done["errors"], done["run"]["appliedBy"], done["run"]["plannedBy"]) == ([], "cleo", "olga")


async def test_a_plan_refused_to_a_machine_beyond_its_ceiling_is_noted_when_it_tries(world: Gateway) -> None:
    secret = await world.create_service_account("bot")
    await world.trust("bot", *RUNNER, Right.GRANT_RIGHTS, MENU["permission"])
    run = (await plan(world, token=secret, users=[person("dora", roles=[role("agents")])]))["run"]
    assert select(world.path, "SELECT count(*) FROM security_events") == [(0,)]

    payload = await apply(world, run, token=secret)

    assert {error["code"] for error in payload["errors"]} == {"DELEGATION_EXCEEDED"}
    assert select(world.path, "SELECT actor, action FROM security_events") == [("bot", "applySync")]


async def test_what_partial_leaves_out_for_going_too_far_is_noted(world: Gateway) -> None:
    secret = await world.trust("cleo", *RUNNER, Right.GRANT_RIGHTS)
    given = [person("dora", roles=[role("agents")]), person("emil")]
    run = (await plan(world, token=secret, users=given, mode="PARTIAL"))["run"]

    done = await apply(world, run, token=secret)

    assert (done["errors"], done["run"]["status"], done["run"]["refused"]) == ([], "APPLIED", 1)
    assert select(world.path, "SELECT actor, action FROM security_events") == [("cleo", "applySync")]


@pytest.mark.parametrize("mode", ["ATOMIC", "PARTIAL"])
async def test_who_may_less_than_who_planned_does_not_spoil_the_plan(world: Gateway, mode: str) -> None:
    planner = await world.trust("ana", *RUNNER, Right.GRANT_RIGHTS, MENU["permission"])
    given = [person("dora", roles=[role("agents")]), person("emil")]
    run = (await plan(world, token=planner, users=given, mode=mode))["run"]
    blind = await world.trust("cleo", Right.RUN_SYNC, Right.VIEW_SYNC)
    poor = await world.trust("ben", *RUNNER, Right.GRANT_RIGHTS)

    told = [await apply(world, run, token=secret) for secret in (blind, poor)]
    done = await apply(world, run, token=planner)

    assert all(one["errors"] and one["run"]["status"] == "PLANNED" for one in told)
    assert (done["errors"], done["run"]["status"]) == ([], "APPLIED")
    noted = select(world.path, "SELECT actor FROM security_events")
    assert {actor for (actor,) in noted} == {"cleo", "ben"}


# ---------------------------------------------------------------------- the same again, and at once


async def test_the_same_under_the_same_key_is_the_first_answer(world: Gateway) -> None:
    run = await planned(world, users=[DORA])
    first = await apply(world, run, idempotencyKey="night 1", reason="once")
    await world.services.uses.finish()

    async with world.unchanged():
        again = await apply(world, run, idempotencyKey="night 1", reason="once")
        other = await apply(world, run, idempotencyKey="night 1", reason="twice")
        planning = await plan(world, users=[DORA], idempotencyKey="night 1")

    assert again == first
    assert codes(other["errors"]) == codes(planning["errors"]) == [("IDEMPOTENCY_MISMATCH", "idempotencyKey")]


async def test_a_key_is_its_callers_own(world: Gateway) -> None:
    secret = await world.trust("cleo", *RUNNER)
    one, two = await planned(world, users=[person("dora")]), await planned(world, source="idp", users=[person("emil")])
    await apply(world, one, idempotencyKey="night 1")

    payload = await apply(world, two, token=secret, idempotencyKey="night 1")

    assert (payload["errors"], payload["run"]["id"]) == ([], two["id"])


async def test_applied_by_many_at_once_it_is_done_once(world: Gateway) -> None:
    run = await planned(world, users=[DORA])
    before = await world.revision()

    payloads = await asyncio.gather(*(apply(world, run) for _ in range(4)))

    assert [payload["errors"] for payload in payloads] == [[]] * 4
    assert {payload["run"]["revision"] for payload in payloads} == {str(before + 1)}
    assert await world.revision() == before + 1


async def test_a23_of_two_plans_of_a_source_at_once_one_is_done_and_the_other_stale(world: Gateway) -> None:
    """Beside somebody who changes the same people: what comes of it is what one order of the three would give."""
    await sync(world, users=EVERYBODY)
    people = [person(f"p{number}", roles=[role("writers")]) for number in range(20)]
    one, two = (await planned(world, users=[*EVERYBODY[:19], people[19]], maxRemovals=5),
                await planned(world, users=[*EVERYBODY[:18], people[18], EVERYBODY[19]], maxRemovals=5))  # fmt: skip
    before = await world.revision()

    told = await asyncio.gather(
        apply(world, one), apply(world, two), world.send("updateRole", {"role": {"key": "agents"}, "displayName": "A"})
    )

    statuses = [payload["run"]["status"] for payload in told[:2]]
    assert sorted(statuses) == ["APPLIED", "STALE"]
    assert await world.revision() == before + 2
    roles = {
        name: [row["role"]["key"] for row in (await user(world, name, "roles { role { key } }"))["roles"]]
        for name in ("p18", "p19")
    }
    first = {"p18": ["agents"], "p19": ["writers"]}
    assert roles == (first if statuses[0] == "APPLIED" else {"p18": ["writers"], "p19": ["agents"]})
    head = await world.head()
    assert (await applied(world, one if statuses[0] == "APPLIED" else two))["revision"] is not None
    assert await world.head() == head, "a second apply writes nothing"
