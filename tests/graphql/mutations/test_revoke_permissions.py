"""revokePermissions: rows that gave end; what stands on them is looked at first."""

from typing import Any

import pytest

from app.domain.holders import Grant
from app.domain.values import Switch
from tests.factories import Gateway, each_of, holder

MENU, REAL_TIME, SPY, EXPORT = (f"desk.reports.{name}" for name in ("menu", "real_time", "spy", "export"))
CLEO, C1 = holder(user="cleo"), {"number": "C-1"}
GRANTS = "grants { id permission { key } }"


def asked(*revokes: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {"holder": CLEO, "revokes": list(revokes), **given}


def synced(gateway: Gateway, who: str, key: str, source: str = "hr") -> Grant:
    """A row that a sync source manages, to plant."""
    return Grant(
        id=gateway.new_id(Grant), holder=gateway.ids[who], node=key, value=Switch(True), source=source,
        created_at=gateway.clock(),
    )  # fmt: skip


async def test_a_row_by_its_id(world: Gateway) -> None:
    row, other = await world.grant(CLEO, EXPORT, {"permission": EXPORT, "contract": C1})

    payload = await world.both_ways("revokePermissions", asked({"id": row}), GRANTS)

    assert [grant["id"] for grant in payload["holder"]["grants"]] == [other]
    assert payload["changes"] == [
        {
            "action": "revoke", "row": row, "before": "on", "after": None, "detail": "revoked `Export` (on)",
            "holder": {"id": world.ids["cleo"]}, "permission": {"key": EXPORT}, "role": None, "team": None,
            "contract": None,
        }
    ]  # fmt: skip


async def test_every_row_of_exactly_this_permission_scope_and_source(world: Gateway) -> None:
    first, later, in_contract = await world.grant(
        CLEO,
        EXPORT,
        {"permission": EXPORT, "validFrom": "2026-07-01T00:00:00Z"},
        {"permission": EXPORT, "contract": C1},
    )  # fmt: skip

    payload = await world.both_ways("revokePermissions", asked({"permission": EXPORT}), GRANTS)
    assert {change["row"] for change in payload["changes"]} == {first, later}
    assert [grant["id"] for grant in payload["holder"]["grants"]] == [in_contract]

    payload = await world.both_ways("revokePermissions", asked({"permission": EXPORT, "contract": C1}), GRANTS)
    assert payload["holder"]["grants"] == []


@pytest.mark.parametrize("source", [{}, {"source": None}, {"source": "manual"}])
async def test_rows_of_other_sources_stay_and_are_reported(world: Gateway, source: dict[str, Any]) -> None:
    row = synced(world, "cleo", EXPORT)
    await world.plant([row])
    (mine,) = await world.grant(CLEO, EXPORT)

    payload = await world.both_ways("revokePermissions", asked({"permission": EXPORT, **source}), GRANTS)

    assert [change["row"] for change in payload["changes"]] == [mine]
    assert [grant["id"] for grant in payload["holder"]["grants"]] == [row.id]
    assert [(warning["code"], warning["message"], warning["path"]) for warning in payload["warnings"]] == [
        ("CONFLICT", f"`{EXPORT}` is also given by `hr` (row {row.id}), which was not touched", ["revokes", "0"])
    ]


async def test_rows_of_a_named_source_end(world: Gateway) -> None:
    await world.plant([synced(world, "cleo", EXPORT)])
    await world.grant(CLEO, EXPORT)

    payload = await world.mutate("revokePermissions", asked({"permission": EXPORT, "source": "hr"}), GRANTS)

    assert len(payload["holder"]["grants"]) == 1
    data = await world.gql('{ user(ref: {userName: "cleo"}) { can(node: "desk.reports.export") { allowed } } }')
    assert data["user"]["can"]["allowed"]


@each_of(
    ("revoke", "code", "path", "message"),
    [
        (
            {"id": "gra_0"}, "NOT_FOUND", ["revokes", "0", "id"], "the holder has no such row `gra_0`"
        ),
        (
            {"permission": EXPORT}, "NOT_FOUND", ["revokes", "0", "permission"],
            f"the holder has no row of `{EXPORT}` in this scope from `manual`",
        ),
        (
            {"permission": "x"}, "NOT_FOUND", ["revokes", "0", "permission"], "there is no permission `x`"
        ),
        (
            {"permission": f"{EXPORT}s"}, "NOT_FOUND", ["revokes", "0", "permission"],
            f"there is no permission `{EXPORT}s`; did you mean `{EXPORT}`?",
        ),
        (
            {}, "INVALID_VALUE", ["revokes", "0"], "name a row by `id`, or rows by `permission`"
        ),
        (
            {"id": "gra_0", "permission": EXPORT}, "INVALID_VALUE", ["revokes", "0"],
            "name a row by `id`, or rows by `permission`",
        ),
        (
            {"permission": EXPORT, "contract": {"number": "C-9"}}, "NOT_FOUND", ["revokes", "0", "contract"],
            "there is no contract `C-9`",
        ),
    ],
)  # fmt: skip
async def test_what_matches_nothing_is_refused(
    world: Gateway, revoke: dict[str, Any], code: str, path: list[str], message: str
) -> None:
    errors = await world.refuse("revokePermissions", asked(revoke))

    assert (errors[0]["code"], errors[0]["path"], errors[0]["message"]) == (code, path, message)


async def test_a_row_that_only_another_source_has_is_refused_naming_it(world: Gateway) -> None:
    await world.plant([synced(world, "cleo", EXPORT)])

    (error,) = await world.refuse("revokePermissions", asked({"permission": EXPORT}))

    assert error["message"].endswith("from `manual`; it is given by `hr`")


async def test_a_row_of_somebody_else_or_a_limit_is_not_this_holders_grant(world: Gateway) -> None:
    (row,) = await world.grant(holder(user="ben"), EXPORT)
    (limit,) = await world.limit(CLEO, EXPORT)

    for wrong in (row, limit):
        (error,) = await world.refuse("revokePermissions", asked({"id": wrong}))
        assert error["code"] == "NOT_FOUND"


async def test_a_row_that_has_ended_is_not_found(world: Gateway) -> None:
    (row,) = await world.grant(CLEO, EXPORT)
    await world.mutate("revokePermissions", asked({"id": row}))

    (error,) = await world.refuse("revokePermissions", asked({"id": row}))

    assert error["code"] == "NOT_FOUND"


async def test_all_or_nothing(world: Gateway) -> None:
    await world.grant(CLEO, EXPORT)

    errors = await world.refuse(
        "revokePermissions", {"holder": CLEO, "revokes": [{"permission": EXPORT}, {"permission": MENU}]}
    )

    assert [error["path"] for error in errors] == [["revokes", "1", "permission"]]


async def test_an_implied_right_has_no_row_to_end(world: Gateway) -> None:
    await world.grant(CLEO, "desk.staff.edit_contacts")

    (error,) = await world.refuse("revokePermissions", asked({"permission": "desk.staff.read_contacts"}))

    assert error["code"] == "NOT_FOUND"


# ---------------------------------------------------------------------- dependents


async def test_what_others_stand_on_is_refused_naming_them(world: Gateway) -> None:
    await world.grant(CLEO, MENU, REAL_TIME, SPY)

    (error,) = await world.refuse("revokePermissions", asked({"permission": MENU}))

    assert error == {
        "__typename": "DependentsExist",
        "code": "DEPENDENTS_EXIST",
        "message": "`Real time`, `Spy on calls` need `Reports menu`",
        "path": ["revokes", "0"],
        "holder": {"id": world.ids["cleo"]},
        "affectedCount": 1,
        "permission": {"key": MENU},
        "dependents": [{"key": REAL_TIME}, {"key": SPY}],
    }


async def test_what_goes_together_is_no_dependent(world: Gateway) -> None:
    await world.grant(CLEO, MENU, REAL_TIME, SPY)

    payload = await world.both_ways(
        "revokePermissions", asked({"permission": MENU}, {"permission": REAL_TIME}, {"permission": SPY}), GRANTS
    )

    assert payload["holder"]["grants"] == []


async def test_what_another_source_still_gives_is_no_loss(world: Gateway) -> None:
    await world.grant(CLEO, MENU, REAL_TIME)
    await world.plant([synced(world, "cleo", MENU)])

    await world.both_ways("revokePermissions", asked({"permission": MENU}))


async def test_cascade_ends_the_dependents_rows_on_the_same_holder(world: Gateway) -> None:
    rows = await world.grant(CLEO, MENU, REAL_TIME, SPY)

    payload = await world.both_ways("revokePermissions", asked({"permission": MENU}, onDependents="CASCADE"), GRANTS)

    assert payload["holder"]["grants"] == []
    assert {change["row"] for change in payload["changes"]} == set(rows)
    assert {change["action"] for change in payload["changes"]} == {"revoke"}


async def test_cascade_cuts_with_a_limit_what_comes_through_something_included(world: Gateway) -> None:
    """The role gives real time suspended, Cleo's own menu lets her use it. The person is cut, the role left alone."""
    await world.create_role("thin", MENU, REAL_TIME)
    thin = holder(role="thin")
    await world.mutate(
        "revokePermissions", {"holder": thin, "revokes": [{"permission": MENU}], "onDependents": "SUSPEND"}
    )
    await world.grant(CLEO, MENU)
    await world.assign(CLEO, "thin")

    payload = await world.both_ways(
        "revokePermissions", asked({"permission": MENU}, onDependents="CASCADE"),
        "limits { permission { key } value { text } } ... on User { roles { role { grants { permission { key } } } } }",
    )  # fmt: skip

    assert [(change["action"], change["permission"]["key"]) for change in payload["changes"]] == [
        ("revoke", MENU),
        ("limit", REAL_TIME),
    ]
    assert payload["holder"] == {
        "limits": [{"permission": {"key": REAL_TIME}, "value": {"text": "off"}}],
        "roles": [{"role": {"grants": [{"permission": {"key": REAL_TIME}}]}}],
    }


async def test_rows_of_another_source_are_not_cascaded_but_named(world: Gateway) -> None:
    row = synced(world, "cleo", REAL_TIME)
    await world.grant(CLEO, MENU)
    await world.plant([row])

    (error,) = await world.refuse("revokePermissions", asked({"permission": MENU}, onDependents="CASCADE"))

    assert error["code"] == "DEPENDENTS_EXIST"
    assert error["message"].endswith(
        f"rows of another source are not cascaded: `Real time` given by `hr` (row {row.id})"
    )


async def test_suspend_leaves_the_dependents_suspended(world: Gateway) -> None:
    await world.grant(CLEO, MENU, REAL_TIME, SPY)

    payload = await world.both_ways(
        "revokePermissions", asked({"permission": MENU}, onDependents="SUSPEND"),
        "... on User { effectiveRights(states: [SUSPENDED]) { permission { key } missing { text } } }",
    )  # fmt: skip

    assert payload["holder"]["effectiveRights"] == [
        {"permission": {"key": REAL_TIME}, "missing": [{"text": "Reports menu"}]},
        {"permission": {"key": SPY}, "missing": [{"text": "Reports menu"}]},
    ]
    assert [warning["code"] for warning in payload["warnings"]] == ["DEPENDENTS_EXIST"]
    assert [change["action"] for change in payload["changes"]] == ["revoke"]


async def test_old_suspensions_do_not_stand_in_the_way_of_other_changes(world: Gateway) -> None:
    await world.grant(CLEO, MENU, REAL_TIME, EXPORT)
    await world.mutate("revokePermissions", asked({"permission": MENU}, onDependents="SUSPEND"))

    await world.both_ways("revokePermissions", asked({"permission": EXPORT}))


async def test_a_role_that_people_stand_on(world: Gateway) -> None:
    await world.grant(holder(user="ana"), REAL_TIME)

    errors = await world.refuse(
        "revokePermissions", {"holder": holder(role="agents"), "revokes": [{"permission": MENU}]}
    )

    assert [(error["code"], error["holder"]["id"]) for error in errors] == [("DEPENDENTS_EXIST", world.ids["ana"])]


async def test_granting_and_then_revoking_by_the_ids_returned_gives_back_what_was(world: Gateway) -> None:
    question = """{ user(ref: {userName: "ana"}) {
      effectiveRights { permission { key } value { text } granted { text } state missing { text } }
    } }"""
    before = await world.gql(question)
    payload = await world.mutate(
        "grantPermissions",
        {"holder": holder(user="ana"), "grants": [{"permission": SPY}, {"permission": "desk.calls.withhold_number"}],
         "onMissingPrerequisites": "INCLUDE"},
    )  # fmt: skip
    assert await world.gql(question) != before

    await world.mutate(
        "revokePermissions",
        {"holder": holder(user="ana"), "revokes": [{"id": change["row"]} for change in payload["changes"]]},
    )

    assert await world.gql(question) == before


async def test_nothing_to_revoke_is_no_change(world: Gateway) -> None:
    await world.no_change("revokePermissions", asked())


async def test_more_than_a_thousand_are_refused_unread(world: Gateway) -> None:
    (error,) = await world.refuse("revokePermissions", asked(*[{"permission": MENU}] * 1001))

    assert (error["code"], error["path"]) == ("TOO_MANY", ["revokes"])
