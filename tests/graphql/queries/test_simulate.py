"""simulate: what would change for whom, judged and guarded as a write, and nothing written."""

import asyncio
from typing import Any

import pytest

from app.domain.callers import OPERATIONS, Right
from tests.factories import Answer, Gateway, each_of, holder, select

ERROR = """
  __typename code message path
  ... on InvalidValue { expected }
  ... on PrerequisiteNotMet { holder { id } affectedCount permission { key } missing { text } }
  ... on DependentsExist { holder { id } affectedCount permission { key } dependents { key } }
  ... on DelegationExceeded { permission { key } held { text } asked { text } }
"""
DOCUMENT = f"""query ($changes: [ChangeInput!]!, $contract: ContractRef, $first: Int, $after: String) {{
  simulate(changes: $changes, contract: $contract, first: $first, after: $after) {{
    violations {{ {ERROR} }} warnings {{ {ERROR} }} affectedUsers
    differences {{
      totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
      edges {{ cursor node {{ user {{ userName }} permission {{ key }} before {{ text }} after {{ text }} }} }}
    }}
  }}
}}"""
MENU, REAL_TIME, SPY, EXPORT = (f"desk.reports.{name}" for name in ("menu", "real_time", "spy", "export"))
PHONE, EDIT, READ = (f"desk.staff.{name}" for name in ("show_phone", "edit_contacts", "read_contacts"))
CHANNELS = "desk.calls.channels"
ANA, BEN, CLEO = (holder(user=name) for name in ("ana", "ben", "cleo"))
C1 = {"number": "C-1"}
SUPPORT, NIGHT = {"key": "support"}, {"key": "night"}
LEVEL = "core.system.access"


async def simulate(gateway: Gateway, *changes: Any, by: str | None = None, **given: Any) -> Answer:
    answer: Answer = (await gateway.gql(DOCUMENT, {"changes": changes, **given}, token=by))["simulate"]
    return answer


def grant(who: Answer, permission: str, **given: Any) -> Answer:
    return {"grant": {"holder": who, "grant": {"permission": permission, **given}}}


def limit(who: Answer, permission: str, **given: Any) -> Answer:
    return {"limit": {"holder": who, "grant": {"permission": permission, **given}}}


def revoke(who: Answer, permission: str, **given: Any) -> Answer:
    return {"revoke": {"holder": who, "revoke": {"permission": permission, **given}}}


def assign(who: Answer, role: str, **given: Any) -> Answer:
    return {"assign": {"holder": who, "assign": {"role": {"key": role}, **given}}}


def unassign(who: Answer, role: str, **given: Any) -> Answer:
    return {"unassign": {"holder": who, "assign": {"role": {"key": role}, **given}}}


def level(user: str, product: str, to: str | None, number: str = "C-1") -> Answer:
    asked = {"user": {"userName": user}, "product": product, "level": to}
    return {"accessLevel": {"contract": {"number": number}, "level": asked}}


def status(user: str, to: str) -> Answer:
    return {"status": {"user": {"userName": user}, "status": to}}


def listed(answer: Answer) -> list[str]:
    """The differences of a page, a line each."""
    return [
        f"{node['user']['userName']} {node['permission']['key']}: {node['before']['text']} > {node['after']['text']}"
        for node in (edge["node"] for edge in answer["differences"]["edges"])
    ]


def told(answer: Answer) -> list[tuple[str, str]]:
    """Code and path of each violation."""
    return [(error["code"], ".".join(error["path"])) for error in answer["violations"]]


# ---------------------------------------------------------------------- what would change


async def test_no_change_does_nothing(world: Gateway) -> None:
    async with world.unchanged():
        for contract in (None, C1):
            answer = await simulate(world, contract=contract)

            nowhere = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
            assert answer == {
                "violations": [], "warnings": [], "affectedUsers": 0,
                "differences": {"totalCount": 0, "pageInfo": nowhere, "edges": []},
            }  # fmt: skip


@each_of(
    ("changes", "contract", "differences"),
    [
        ([grant(CLEO, EXPORT)], None, [f"cleo {EXPORT}: off > on"]),
        ([grant(CLEO, EXPORT)], C1, []),  # she has no level there
        ([grant(CLEO, EXPORT, contract=C1)], None, []),
        ([grant(ANA, "desk.calls.recordings", value={"scopes": ["own"]}, contract=C1)], C1,
         ["ana desk.calls.recordings: none > own"]),
        ([grant(ANA, EDIT)], None, [f"ana {EDIT}: off > on", f"ana {READ}: off > on"]),  # and what it implies
        ([grant(holder(role="agents"), REAL_TIME)], C1, [f"ana {REAL_TIME}: off > on"]),
        ([grant(holder(team="support"), PHONE)], None, [f"ben {PHONE}: off > on"]),  # ana has it
        ([grant(CLEO, EXPORT, validFrom="2026-06-02T00:00:00Z")], None, []),  # not yet
        ([revoke(ANA, PHONE)], None, [f"ana {PHONE}: on > off"]),
        ([limit(ANA, PHONE)], C1, [f"ana {PHONE}: on > off"]),
        ([limit(ANA, PHONE, contract=C1)], None, []),
        ([{"liftLimit": {"holder": ANA, "revoke": {"permission": EXPORT}}}], None, []),
        ([{"liftLimit": {"holder": ANA, "revoke": {"permission": EXPORT}}}, grant(ANA, EXPORT)], None,
         [f"ana {EXPORT}: off > on"]),
        ([assign(CLEO, "writers")], None,
         [f"cleo {MENU}: off > on", f"cleo {EDIT}: off > on", f"cleo {READ}: off > on"]),
        ([unassign(ANA, "agents")], C1, [f"ana {MENU}: on > off"]),
        ([assign(holder(team="night"), "agents"),
          {"addMembers": {"team": NIGHT, "users": [{"userName": "cleo"}, {"userName": "ben"}]}}], None,
         [f"ben {MENU}: off > on", f"cleo {MENU}: off > on"]),
        ([grant(holder(team="support"), EXPORT),
          {"removeMembers": {"team": SUPPORT, "users": [{"userName": "ben"}]}}], None, []),  # ana is limited
        ([status("ana", "SUSPENDED")], None, [f"ana {MENU}: on > off", f"ana {PHONE}: on > off"]),
        ([status("ana", "SUSPENDED")], C1,
         [f"ana {LEVEL}: User > Not in the contract", f"ana {MENU}: on > off", f"ana {PHONE}: on > off"]),
        ([level("ana", "core", "ADMINISTRATOR")], C1, [f"ana {LEVEL}: User > Administrator"]),
        ([level("ana", "core", "ADMINISTRATOR")], None, []),
        ([level("ana", "core", None)], C1,
         [f"ana {LEVEL}: User > Not in the contract", f"ana {MENU}: on > off", f"ana {PHONE}: on > off"]),
        ([level("cleo", "chatbots", "USER"), grant(CLEO, EXPORT)], C1,
         ["cleo core.chatbots.access: Not in the contract > User", f"cleo {EXPORT}: off > on"]),
    ],
)  # fmt: skip
async def test_differences_are_those_of_the_effective_rights(
    world: Gateway, changes: list[Answer], contract: Answer | None, differences: list[str]
) -> None:
    async with world.unchanged():
        answer = await simulate(world, *changes, contract=contract)

    assert answer["violations"] == []
    assert listed(answer) == differences
    assert answer["differences"]["totalCount"] == len(differences)
    assert answer["affectedUsers"] == len({line.split()[0] for line in differences})


async def test_a_difference_has_its_person_and_its_values(world: Gateway) -> None:
    document = """query ($changes: [ChangeInput!]!) { simulate(changes: $changes) { differences { edges { node {
      user { id grants { permission { key } } } permission { key label }
      before { __typename ... on QuantityValue { amount unlimited } }
      after { __typename ... on QuantityValue { amount unlimited } }
    } } } } }"""

    data = await world.gql(document, {"changes": [grant(ANA, CHANNELS, value={"amount": 3})]})

    (edge,) = data["simulate"]["differences"]["edges"]
    assert edge["node"] == {
        "user": {"id": world.ids["ana"], "grants": [{"permission": {"key": PHONE}}]},  # she as she is
        "permission": {"key": CHANNELS, "label": "Channels"},
        "before": {"__typename": "QuantityValue", "amount": None, "unlimited": False},
        "after": {"__typename": "QuantityValue", "amount": 3, "unlimited": False},
    }  # fmt: skip


# ---------------------------------------------------------------------- one change set


@each_of(
    "changes",
    [
        [grant(CLEO, SPY), grant(CLEO, REAL_TIME), grant(CLEO, MENU)],
        [grant(CLEO, MENU), grant(CLEO, REAL_TIME), grant(CLEO, SPY)],
        [grant(CLEO, SPY), grant(holder(role="writers"), REAL_TIME), assign(CLEO, "writers")],
        [grant(CLEO, REAL_TIME), {"addMembers": {"team": SUPPORT, "users": [{"userName": "cleo"}]}},
         assign(holder(team="support"), "agents")],
        [unassign(ANA, "agents"), grant(ANA, MENU), grant(ANA, REAL_TIME)],
    ],
)  # fmt: skip
async def test_what_one_change_lacks_another_may_bring(world: Gateway, changes: list[Answer]) -> None:
    assert told(await simulate(world, *changes)) == []


@each_of(
    ("changes", "differences"),
    [
        ([grant(CLEO, EXPORT), revoke(CLEO, EXPORT)], []),
        ([grant(CLEO, EXPORT), revoke(CLEO, EXPORT), grant(CLEO, EXPORT)], [f"cleo {EXPORT}: off > on"]),
        ([grant(CLEO, EXPORT), grant(CLEO, EXPORT)], [f"cleo {EXPORT}: off > on"]),
        ([assign(CLEO, "agents"), unassign(CLEO, "agents")], []),
        ([limit(ANA, PHONE), {"liftLimit": {"holder": ANA, "revoke": {"permission": PHONE}}}], []),
        ([status("ana", "SUSPENDED"), status("ana", "ACTIVE")], []),
        ([status("ana", "ARCHIVED"), status("ana", "SUSPENDED")], [f"ana {MENU}: on > off", f"ana {PHONE}: on > off"]),
    ],
)
async def test_a_change_is_read_in_the_world_that_those_before_it_leave(
    world: Gateway, changes: list[Answer], differences: list[str]
) -> None:
    answer = await simulate(world, *changes)

    assert answer["violations"] == []
    assert listed(answer) == differences


async def test_the_last_of_several_levels_counts(world: Gateway) -> None:
    levels = ("ADMINISTRATOR", None, "WITHOUT_ACCESS")

    answer = await simulate(world, *(level("ana", "core", to) for to in levels), contract=C1)

    assert answer["violations"] == []
    assert listed(answer) == [f"ana {LEVEL}: User > Without access"]


async def test_what_is_gone_already_is_not_found_again(world: Gateway) -> None:
    answer = await simulate(world, revoke(ANA, PHONE), revoke(ANA, PHONE))

    assert told(answer) == [("NOT_FOUND", "changes.1.revoke.revoke.permission")]


# ---------------------------------------------------------------------- violations


async def test_a_missing_prerequisite_is_told_and_so_is_what_would_be(world: Gateway) -> None:
    async with world.unchanged():
        answer = await simulate(world, grant(ANA, EXPORT), grant(ANA, SPY))

    assert answer["violations"] == [
        {
            "__typename": "PrerequisiteNotMet", "code": "PREREQUISITE_NOT_MET",
            "message": "`Spy on calls` needs `Real time`", "path": ["changes", "1", "grant", "grant", "permission"],
            "holder": {"id": world.ids["ana"]}, "affectedCount": 1, "permission": {"key": SPY},
            "missing": [{"text": "Real time"}],
        }
    ]  # fmt: skip
    assert answer["warnings"] == []
    assert listed(answer) == []  # spying would be suspended, exporting is limited


async def test_dependents_are_told_and_what_they_would_lose(world: Gateway) -> None:
    await world.grant(ANA, REAL_TIME)

    answer = await simulate(world, unassign(ANA, "agents"))

    assert answer["violations"] == [
        {
            "__typename": "DependentsExist", "code": "DEPENDENTS_EXIST",
            "message": "`Real time` needs `Reports menu`", "path": ["changes", "0", "unassign", "assign", "role"],
            "holder": {"id": world.ids["ana"]}, "affectedCount": 1, "permission": {"key": MENU},
            "dependents": [{"key": REAL_TIME}],
        }
    ]  # fmt: skip
    assert listed(answer) == [f"ana {MENU}: on > off", f"ana {REAL_TIME}: on > off"]
    assert answer["affectedUsers"] == 1


@each_of(
    ("changes", "violations"),
    [
        ([grant(holder(user="nobody"), MENU)], [("NOT_FOUND", "changes.0.grant.holder.user")]),
        ([grant(CLEO, "desk.nothing")], [("NOT_FOUND", "changes.0.grant.grant.permission")]),
        ([grant(CLEO, "desk.reports")], [("NOT_GRANTABLE", "changes.0.grant.grant.permission")]),
        ([grant(CLEO, CHANNELS, value={"amount": 11})], [("INVALID_VALUE", "changes.0.grant.grant.value")]),
        ([grant(CLEO, MENU, contract={"number": "C-9"})], [("NOT_FOUND", "changes.0.grant.grant.contract")]),
        ([limit(CLEO, "desk.calls.withhold_number")], [("NOT_GRANTABLE", "changes.0.limit.grant.permission")]),
        ([revoke(CLEO, MENU)], [("NOT_FOUND", "changes.0.revoke.revoke.permission")]),
        ([{"revoke": {"holder": CLEO, "revoke": {}}}], [("INVALID_VALUE", "changes.0.revoke.revoke")]),
        ([{"revoke": {"holder": CLEO, "revoke": {"id": "x"}}}], [("NOT_FOUND", "changes.0.revoke.revoke.id")]),
        ([{"liftLimit": {"holder": CLEO, "revoke": {"permission": MENU}}}],
         [("NOT_FOUND", "changes.0.liftLimit.revoke.permission")]),
        ([assign(CLEO, "nothing")], [("NOT_FOUND", "changes.0.assign.assign.role")]),
        ([assign(holder(role="writers"), "agents")], [("INVALID_VALUE", "changes.0.assign.holder.role")]),
        ([unassign(CLEO, "agents")], [("NOT_FOUND", "changes.0.unassign.assign.role")]),
        ([assign(CLEO, "agents", validUntil="2026-01-01T00:00:00Z")],
         [("INVALID_VALUE", "changes.0.assign.assign.validUntil")]),
        ([{"addMembers": {"team": {"key": "x"}, "users": [{"userName": "y"}, {"userName": "ana"}]}}],
         [("NOT_FOUND", "changes.0.addMembers.team"), ("NOT_FOUND", "changes.0.addMembers.users.0")]),
        ([{"removeMembers": {"team": SUPPORT, "users": [{"userName": "ana"}, {"userName": "cleo"}]}}],
         [("NOT_FOUND", "changes.0.removeMembers.users.1")]),
        ([status("nobody", "ACTIVE")], [("NOT_FOUND", "changes.0.status.user")]),
        ([level("ana", "core", "OWNER")], [("NOT_PERMITTED", "changes.0.accessLevel.level.level")]),
        ([level("ana", "nothing", "USER")], [("INVALID_VALUE", "changes.0.accessLevel.level.product")]),
        ([level("nobody", "core", "USER", "C-9")],
         [("NOT_FOUND", "changes.0.accessLevel.contract"), ("NOT_FOUND", "changes.0.accessLevel.level.user")]),
        ([level("ben", "core", "USER")], [("LAST_OWNER", "changes.0.accessLevel.level.user")]),
        ([status("ben", "SUSPENDED")], [("LAST_OWNER", "changes.0.status")]),
        ([status("olga", "ARCHIVED")], [("LAST_OWNER", "changes.0.status")]),
        ([limit(BEN, MENU)], [("CONFLICT", "changes.0.limit.grant.permission")]),
        # Everything together, each at its place.
        ([grant(CLEO, "desk.nothing"), grant(CLEO, MENU), grant(holder(team="x"), "desk.reports"),
          status("y", "ACTIVE"), status("y", "ACTIVE")],
         [("NOT_FOUND", "changes.0.grant.grant.permission"), ("NOT_FOUND", "changes.2.grant.holder.team"),
          ("NOT_GRANTABLE", "changes.2.grant.grant.permission"), ("NOT_FOUND", "changes.3.status.user"),
          ("NOT_FOUND", "changes.4.status.user")]),
    ],
)  # fmt: skip
async def test_faults_are_told_at_their_place(
    world: Gateway, changes: list[Answer], violations: list[tuple[str, str]]
) -> None:
    async with world.unchanged():
        answer = await simulate(world, *changes)

    assert told(answer) == violations
    assert answer["warnings"] == []


async def test_where_a_change_cannot_be_read_nothing_is_compared(world: Gateway) -> None:
    answer = await simulate(world, grant(CLEO, EXPORT), grant(CLEO, "desk.nothing"))

    assert told(answer) == [("NOT_FOUND", "changes.1.grant.grant.permission")]
    assert (answer["affectedUsers"], answer["differences"]["totalCount"]) == (0, 0)


async def test_at_most_100_faults_are_told(world: Gateway) -> None:
    answer = await simulate(world, *[grant(CLEO, f"desk.nothing{number}") for number in range(130)])

    assert len(answer["violations"]) == 101
    assert answer["violations"][100]["message"] == "130 in all, of which the first 100 are listed"


async def test_an_unknown_contract_is_a_violation(world: Gateway) -> None:
    answer = await simulate(world, grant(CLEO, EXPORT), contract={"number": "C-9"})

    assert answer["violations"] == [
        {"__typename": "GenericError", "code": "NOT_FOUND", "message": "there is no contract `C-9`",
         "path": ["contract"]}
    ]  # fmt: skip
    assert answer["differences"]["totalCount"] == 0


# ---------------------------------------------------------------------- warnings


async def test_warnings_are_those_of_a_write(world: Gateway) -> None:
    answer = await simulate(world, status("cleo", "ACTIVE"), grant(ANA, EXPORT), grant(CLEO, EXPORT))

    assert answer["violations"] == []
    assert [(w["code"], w["message"], w["path"]) for w in answer["warnings"]] == [
        (
            "ADVISORY", "`Export` is held back by a limit on the person",
            ["changes", "1", "grant", "grant", "permission"],
        ),
        (
            "ADVISORY", "`Export` is of little use without `Reports menu`",
            ["changes", "2", "grant", "grant", "permission"],
        ),
    ]  # fmt: skip


# ---------------------------------------------------------------------- pages


async def make_crew(world: Gateway, count: int) -> list[str]:
    """A team `crew` of so many, and their names in order."""
    names = [f"p{number:02}" for number in range(count)]
    await world.create_users(*reversed(names))
    await world.create_team("crew")
    await world.join("crew", *names)
    return names


async def test_differences_are_paged_by_name_and_then_in_catalog_order(world: Gateway) -> None:
    names = await make_crew(world, 12)
    changes = [grant(holder(team="crew"), key) for key in (PHONE, EXPORT)]
    expected = [f"{name} {key}: off > on" for name in names for key in (EXPORT, PHONE)]

    whole = await simulate(world, *changes, first=100)
    assert listed(whole) == expected
    assert listed(await simulate(world, *changes)) == expected[:20]

    after, found = None, []
    for size in (5, 5, 5, 5, 4):
        answer = await simulate(world, *changes, first=5, after=after)
        page = answer["differences"]
        assert (answer["affectedUsers"], page["totalCount"]) == (12, 24)
        assert len(page["edges"]) == size
        assert page["pageInfo"] == {
            "hasNextPage": size == 5, "hasPreviousPage": after is not None,
            "startCursor": page["edges"][0]["cursor"], "endCursor": page["edges"][-1]["cursor"],
        }  # fmt: skip
        found += listed(answer)
        after = page["pageInfo"]["endCursor"]
    assert found == expected


async def test_a_page_goes_on_where_it_was_though_people_came_between(world: Gateway) -> None:
    await make_crew(world, 4)
    change = grant(holder(team="crew"), EXPORT)
    page = (await simulate(world, change, first=2))["differences"]["pageInfo"]

    await world.create_users("p00a", "p02a")
    await world.join("crew", "p00a", "p02a")

    answer = await simulate(world, change, first=10, after=page["endCursor"])
    assert [line.split()[0] for line in listed(answer)] == ["p02", "p02a", "p03"]


async def test_a_page_may_be_asked_of_the_differences_themselves(world: Gateway) -> None:
    names = await make_crew(world, 5)
    document = """query ($changes: [ChangeInput!]!, $after: String) { simulate(changes: $changes, first: 1) {
      outer: differences { edges { node { user { userName } } } }
      inner: differences(first: 3, after: $after) { edges { cursor node { user { userName } } } }
    } }"""

    after, found = None, []
    for _ in range(2):
        asked = {"changes": [grant(holder(team="crew"), EXPORT)], "after": after}
        simulated = (await world.gql(document, asked))["simulate"]
        assert [edge["node"]["user"]["userName"] for edge in simulated["outer"]["edges"]] == [names[0]]
        found += [edge["node"]["user"]["userName"] for edge in simulated["inner"]["edges"]]
        after = simulated["inner"]["edges"][-1]["cursor"]

    assert found == names


async def test_cursors_of_other_lists_and_pages_too_large_are_refused(world: Gateway) -> None:
    await make_crew(world, 2)
    changes = [grant(holder(team="crew"), EXPORT)]
    users = await world.gql("{ users(first: 1) { pageInfo { endCursor } } }")
    mine = (await simulate(world, *changes))["differences"]["pageInfo"]["endCursor"]
    foreign = "this cursor was not handed out for this list"

    for given, message in (
        ({"after": users["users"]["pageInfo"]["endCursor"]}, foreign),
        ({"after": f"{mine}A"}, foreign),
        ({"first": 101}, "`first` must be between 0 and 100: page through the list"),
        ({"first": -1}, "`first` must be between 0 and 100: page through the list"),
    ):
        assert await world.fault(DOCUMENT, {"changes": changes, **given}) == ("BAD_USER_INPUT", message)


# ---------------------------------------------------------------------- who asks


async def test_whoever_may_view_rights_nowhere_may_not_simulate(world: Gateway) -> None:
    _, token = await world.issue_token("cleo")

    async with world.unchanged():
        answer = await world.ask(DOCUMENT, {"changes": [grant(CLEO, EXPORT)]}, token=token)

    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert error["message"] == "you may not do this. Needs the right `gateway.rights.view`."


async def test_what_a_change_needs_is_a_violation_of_whoever_may_only_look(world: Gateway) -> None:
    token = await world.trust("cleo", Right.VIEW_USERS, Right.VIEW_RIGHTS, Right.VIEW_TEAMS, Right.VIEW_ROLES)

    answer = await simulate(
        world, grant(ANA, SPY), {"addMembers": {"team": SUPPORT, "users": [{"userName": "nobody"}]}},
        status("ana", "SUSPENDED"), level("ana", "core", "USER"), by=token,
    )  # fmt: skip

    assert [(error["code"], error["message"], ".".join(error["path"])) for error in answer["violations"]] == [
        ("NOT_PERMITTED", f"you may not do this. Needs the right `{right}`{where}.", path)
        for right, where, path in (
            (Right.GRANT_RIGHTS, "", "changes.0.grant"),
            (Right.MANAGE_MEMBERS, "", "changes.1.addMembers"),
            (Right.MANAGE_USERS, " held everywhere", "changes.2.status"),
        )
    ] + [
        (
            "NOT_PERMITTED",
            f"you may not do this. {OPERATIONS['setAccessLevels']}",
            "changes.3.accessLevel",
        )
    ]  # fmt: skip
    assert answer["differences"]["totalCount"] == 0


async def test_a_right_held_in_one_contract_alone_is_a_violation_elsewhere(world: Gateway) -> None:
    rights = (Right.VIEW_USERS, Right.VIEW_RIGHTS, Right.GRANT_RIGHTS, READ)
    await world.set_level("C-1", "cleo")
    token = await world.trust("cleo", *rights, contract="C-1")

    inside = await simulate(world, grant(ANA, READ, contract=C1), by=token, contract=C1)
    outside = await simulate(world, grant(ANA, READ), by=token, contract=C1)

    assert inside["violations"] == []
    assert [(e["code"], e["message"], ".".join(e["path"])) for e in outside["violations"]] == [
        ("NOT_PERMITTED", "this needs the right `gateway.rights.grant` everywhere", "changes.0.grant.grant.permission")
    ]


async def test_guards_are_those_of_a_write_and_nothing_is_noted_of_a_mere_question(world: Gateway) -> None:
    await world.create_user("dan")
    token = await world.trust("cleo", Right.VIEW_USERS, Right.VIEW_RIGHTS, Right.GRANT_RIGHTS, EXPORT)
    noted = select(world.path, "SELECT count(*) FROM security_events")

    async with world.unchanged():
        answer = await simulate(
            world, grant(ANA, EXPORT), grant(holder(user="dan"), PHONE), grant(CLEO, PHONE), by=token
        )

    assert answer["violations"] == [
        {
            "__typename": "DelegationExceeded", "code": "DELEGATION_EXCEEDED",
            "message": "`Show phone numbers: on` is more than you can give (off)",
            "path": ["changes", "1", "grant", "grant", "permission"],
            "permission": {"key": PHONE}, "held": {"text": "off"}, "asked": {"text": "on"},
        },
        {
            "__typename": "GenericError", "code": "SELF_ELEVATION",
            "message": "`Show phone numbers: on` is more than you can give (off), least of all to yourself",
            "path": ["changes", "2", "grant", "grant", "permission"],
        },
    ]  # fmt: skip
    assert listed(answer) == [f"cleo {PHONE}: off > on", f"dan {PHONE}: off > on"]
    assert select(world.path, "SELECT count(*) FROM security_events") == noted


async def test_only_people_whose_rights_the_caller_may_see_are_listed_and_counted(world: Gateway) -> None:
    """vera may view C-1 alone: of all who are reached by a role she is shown ana there, and nobody elsewhere."""
    await world.create_users("vera")
    await world.set_level("C-1", "vera")
    await world.assign(CLEO, "agents")
    token = await world.trust("vera", Right.VIEW_USERS, Right.VIEW_RIGHTS, Right.VIEW_ROLES, contract="C-1")
    change = limit(holder(role="agents"), MENU)
    granting = await world.trust("vera", Right.GRANT_RIGHTS, contract="C-1")

    for by in (token, granting):
        inside = await simulate(world, change, by=by, contract=C1)
        nowhere = await simulate(world, change, by=by)
        assert listed(inside) == [f"ana {MENU}: on > off"]
        assert (inside["affectedUsers"], inside["differences"]["totalCount"]) == (1, 1)
        assert (nowhere["affectedUsers"], nowhere["differences"]["totalCount"]) == (0, 0)
    everywhere = await simulate(world, change)
    assert listed(everywhere) == [f"ana {MENU}: on > off", f"cleo {MENU}: on > off"]


async def test_of_oneself_one_sees_everything(world: Gateway) -> None:
    token = await world.trust("ana", Right.VIEW_RIGHTS, Right.VIEW_ROLES, Right.GRANT_RIGHTS, contract="C-1")

    assert listed(await simulate(world, unassign(ANA, "agents"), by=token)) == [f"ana {MENU}: on > off"]


async def test_what_the_caller_does_not_see_is_not_there(world: Gateway) -> None:
    await world.set_level("C-1", "cleo")
    token = await world.trust("cleo", Right.VIEW_USERS, Right.VIEW_RIGHTS, Right.GRANT_RIGHTS, contract="C-1")

    for who, change in (
        ("olga", grant(holder(user="olga"), EXPORT, contract=C1)),
        ("nobody", grant(holder(user="nobody"), EXPORT, contract=C1)),
    ):
        (error,) = (await simulate(world, change, by=token, contract=C1))["violations"]
        assert error == {
            "__typename": "GenericError", "code": "NOT_FOUND", "message": f"there is no user `{who}`",
            "path": ["changes", "0", "grant", "holder", "user"],
        }  # fmt: skip


# ---------------------------------------------------------------------- bounds, locks


async def test_at_most_1000_changes_at_once(world: Gateway) -> None:
    changes = [grant(CLEO, CHANNELS, value={"amount": 1 + number % 10}) for number in range(1000)]

    assert listed(await simulate(world, *changes)) == [f"cleo {CHANNELS}: unset > 10 channels"]

    many = {"addMembers": {"team": SUPPORT, "users": [{"userName": "cleo"}] * 900}}
    for refused, number in (([*changes, changes[0]], 1001), ([many, many], 1800)):
        answer = await simulate(world, *refused)
        assert answer["violations"] == [
            {
                "__typename": "GenericError", "code": "TOO_MANY", "path": ["changes"],
                "message": f"{number} changes, each person of a team counted; at most 1000 in one simulation",
            }
        ]  # fmt: skip


@pytest.mark.parametrize("change", [{}, {**status("ana", "ACTIVE"), **grant(ANA, EXPORT)}, {"status": None}])
async def test_a_change_is_exactly_one_thing(world: Gateway, change: Answer) -> None:
    response = await world.post({"query": DOCUMENT, "variables": {"changes": [change]}})

    assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"BAD_USER_INPUT"}


async def test_it_is_asked_beside_other_questions_of_the_same_revision(world: Gateway) -> None:
    document = """query ($a: [ChangeInput!]!, $b: [ChangeInput!]!) {
      revision
      a: simulate(changes: $a) { affectedUsers violations { code } }
      user(ref: {userName: "cleo"}) { can(node: "desk.reports.export") { allowed } grants { id } }
      b: simulate(changes: $b) { affectedUsers violations { code } }
    }"""

    async with world.unchanged():
        data = await world.gql(document, {"a": [grant(CLEO, EXPORT)], "b": [grant(CLEO, SPY)]})

    assert data == {
        "revision": str(world.answered_from),
        "a": {"affectedUsers": 1, "violations": []},
        "user": {"can": {"allowed": False}, "grants": []},
        "b": {"affectedUsers": 0, "violations": [{"code": "PREREQUISITE_NOT_MET"}]},
    }


async def test_it_does_not_wait_for_the_write_lock(world: Gateway) -> None:
    async with world.services.database.writing(world.services.catalog):
        answer = await asyncio.wait_for(simulate(world, grant(CLEO, EXPORT)), timeout=10)

    assert listed(answer) == [f"cleo {EXPORT}: off > on"]
