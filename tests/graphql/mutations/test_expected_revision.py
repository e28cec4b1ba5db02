"""`expectedRevision`, on every mutation alike: who writes from what they have read is told where that is old (A8)."""

from typing import Any

import pytest

from tests.factories import Answer, Gateway, each_of, holder
from tests.graphql.test_every_mutation import EXAMPLES

MAKING = ("createUser", "createRole", "cloneRole", "createTeam", "registerContract", "createServiceAccount")
CHANGING = tuple(field for field in EXAMPLES if field not in MAKING)
ANA, CLEO, AGENTS, SUPPORT, C1 = (
    {"userName": "ana"}, {"userName": "cleo"}, {"key": "agents"}, {"key": "support"}, {"number": "C-1"},
)  # fmt: skip


async def pass_by(world: Gateway) -> int:
    """Something happens that no example is about; gives the revision before it."""
    before = await world.revision()
    await world.create_user("passer-by")
    return before


async def touch(world: Gateway, given: dict[str, Any]) -> int:
    """What a request is about is changed, by its attributes; gives the revision before that."""
    before = await world.revision()
    named = given.get("holder", given)
    noun = next(noun for noun in ("contract", "team", "role", "user", "id") if noun in named)
    if noun == "id":  # a token is about its user
        named, noun = {"user": ANA}, "user"
    field = f"update{noun.capitalize()}"
    attribute = "name" if noun == "contract" else "displayName"
    await world.mutate(field, {noun: named[noun], attribute: f"Touched after {before}"})
    return before


async def stale(world: Gateway, field: str, given: dict[str, Any], *, expected: int) -> None:
    """Asserts that a request is refused for its expectation alone, both revisions named, and nothing written."""
    current = await world.revision()
    (error,) = await world.refuse(field, {**given, "expectedRevision": str(expected)})
    assert (error["code"], error["path"]) == ("STALE_REVISION", ["expectedRevision"])
    assert f"`{expected}`" in error["message"] and f"`{current}`" in error["message"]


async def fresh(world: Gateway, field: str, given: dict[str, Any], *, expected: int) -> Answer:
    """A request that is done, as it would be without the expectation."""
    return await world.mutate(field, {**given, "expectedRevision": str(expected)})


@pytest.mark.parametrize("field", EXAMPLES)
async def test_the_revision_of_now_is_fresh(field: str, world: Gateway) -> None:
    given = await EXAMPLES[field].given(world)

    assert (await fresh(world, field, given, expected=await world.revision()))["changes"]


@pytest.mark.parametrize("field", CHANGING)
async def test_an_older_one_is_fresh_while_what_it_is_about_is_untouched(field: str, world: Gateway) -> None:
    """A8: an editor is not disturbed by what others do elsewhere."""
    given = await EXAMPLES[field].given(world)

    assert (await fresh(world, field, given, expected=await pass_by(world)))["changes"]


@pytest.mark.long
@each_of("field", CHANGING)
async def test_an_older_one_is_stale_once_what_it_is_about_was_touched(field: str, world: Gateway) -> None:
    """A8: one of two editors of the same revision is told so."""
    await world.mutate("updateUser", {"user": CLEO, "displayName": f"Cleo before {field}"})
    given = await EXAMPLES[field].given(world)
    before = await world.revision()
    for noun, changed in (("user", ANA), ("user", {"userName": "ben"}), ("role", AGENTS), ("team", SUPPORT)):
        await world.mutate(f"update{noun.capitalize()}", {noun: changed, "displayName": f"Before {field}"})
    await touch(world, given)

    await stale(world, field, given, expected=before)
    await stale(world, field, given, expected=0)


@each_of("field", MAKING)
async def test_for_what_is_made_anything_newer_is_stale(field: str, world: Gateway) -> None:
    """A8: what is not there yet has no past of its own; whoever makes it has looked at everything."""
    given = await EXAMPLES[field].given(world)
    before = await world.revision()
    await world.mutate("updateTeam", {"team": {"key": "night"}, "displayName": f"Before {field}"})

    await stale(world, field, given, expected=before)


@each_of("field", EXAMPLES)
async def test_a_revision_that_is_not_there_yet_is_refused(field: str, world: Gateway) -> None:
    """A9: it was read from another gateway, or from a file that was put back."""
    given = await EXAMPLES[field].given(world)

    for ahead in (1, 10**12):
        await stale(world, field, given, expected=await world.revision() + ahead)


@each_of("text", ["-1", "+1", "01", "1.0", " 1", "\u0661", "", "9" * 19])
async def test_what_is_no_revision_is_no_request(text: str, world: Gateway) -> None:
    async with world.unchanged():
        response = await world.post({
            "query": "mutation($input: UpdateUserInput!) { updateUser(input: $input) { revision } }",
            "variables": {"input": {"user": ANA, "displayName": "Who", "expectedRevision": text}},
        })  # fmt: skip
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "data" not in response.json()


async def test_null_expects_nothing(world: Gateway) -> None:
    await touch(world, {"user": ANA})

    await world.mutate("updateUser", {"user": ANA, "displayName": "Who", "expectedRevision": None})


# ---------------------------------------------------------------------- what touches what


async def test_giving_a_role_to_somebody_does_not_touch_the_role(world: Gateway) -> None:
    """A8: nor does taking it away. It touches the one who has it."""
    before = await world.revision()
    await world.assign(holder(user="cleo"), "agents")
    await world.mutate("unassignRoles", {"holder": holder(user="ana"), "roles": [{"role": AGENTS}]})

    await fresh(world, "updateRole", {"role": AGENTS, "displayName": "Agents"}, expected=before)
    for user in (ANA, CLEO):
        await stale(world, "updateUser", {"user": user, "displayName": "Who"}, expected=before)


async def test_what_a_role_gives_touches_the_role_and_not_who_has_it(world: Gateway) -> None:
    before = await world.revision()
    await world.grant(holder(role="agents"), "desk.reports.export")

    await stale(world, "updateRole", {"role": AGENTS, "displayName": "Agents"}, expected=before)
    await fresh(world, "updateUser", {"user": ANA, "displayName": "Who"}, expected=before)


async def test_a_membership_touches_the_member_and_not_the_team(world: Gateway) -> None:
    before = await world.revision()
    await world.join("support", "cleo")

    await fresh(world, "updateTeam", {"team": SUPPORT, "displayName": "Support"}, expected=before)
    await stale(world, "updateUser", {"user": CLEO, "displayName": "Who"}, expected=before)


async def test_a_right_within_a_contract_does_not_touch_the_contract(world: Gateway) -> None:
    before = await world.revision()
    await world.grant(holder(user="cleo"), {"permission": "desk.reports.menu", "contract": C1})

    await fresh(world, "updateContract", {"contract": C1, "name": "First"}, expected=before)


async def test_a_level_touches_the_contract_and_the_person(world: Gateway) -> None:
    before = await world.revision()
    await world.set_level("C-1", "cleo")

    await stale(world, "updateContract", {"contract": C1, "name": "First"}, expected=before)
    await stale(world, "updateUser", {"user": CLEO, "displayName": "Who"}, expected=before)


async def test_what_was_made_just_now_is_touched_by_that(world: Gateway) -> None:
    before = await world.revision()
    await world.create_user("eva")

    await stale(world, "updateUser", {"user": {"userName": "eva"}, "displayName": "Eva"}, expected=before)
    await fresh(world, "updateUser", {"user": {"userName": "eva"}, "displayName": "Eva"}, expected=before + 1)


async def test_one_writes_again_from_the_revision_that_one_was_told(world: Gateway) -> None:
    """A8: the answer of a write is what the next one may expect, without reading in between."""
    told = await world.revision()
    for name in ("One", "Two", "Three"):
        payload = await fresh(world, "updateUser", {"user": ANA, "displayName": name}, expected=told)
        told = int(payload["revision"])


async def test_an_answer_that_is_given_again_is_not_stale(world: Gateway) -> None:
    """F1: the retry of a request expects what the request expected, and has itself changed that."""
    given = {
        "user": ANA, "displayName": "Ana R.", "expectedRevision": str(await world.revision()), "idempotencyKey": "one",
    }  # fmt: skip
    first = await world.mutate("updateUser", given)

    assert await world.mutate("updateUser", given) == first


async def test_other_faults_of_a_request_come_first(world: Gateway) -> None:
    """Whoever is to mend a request mends it before reading again."""
    before = await touch(world, {"user": ANA})

    (error,) = await world.refuse("updateUser", {"user": ANA, "displayName": "", "expectedRevision": str(before)})

    assert error["path"] == ["displayName"]


async def test_who_may_not_write_learns_nothing_of_what_has_changed(world: Gateway) -> None:
    """A8 and section 8: the answer to one without the right is the same, stale or not."""
    token = (await world.issue_token("cleo"))[1]
    before = await touch(world, {"user": ANA})
    given = {"user": ANA, "displayName": "Who"}

    payloads = [
        await world.send("updateUser", {**given, "expectedRevision": str(expected)}, token=token)
        for expected in (before, await world.revision(), 10**6)
    ]

    assert [error["code"] for error in payloads[0]["errors"]] == ["NOT_PERMITTED"]
    assert payloads == [payloads[0]] * 3
