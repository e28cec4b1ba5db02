"""`PERMGATE_COMPILED`: which way queries are run."""

from typing import Any

import pytest
from graphql import Executor as Core

from app.domain.callers import Caller
from app.domain.holders import UserId
from app.graphql.compiled import Run
from app.graphql.execution import LISTENED, Admitted, Request, RequestFault
from app.graphql.pieces import PiecewiseExecution
from app.graphql.policy import Policy
from app.graphql.trusted import make_policy
from app.settings import SettingsFaults, read_settings
from tests.factories import executor

CALLER = Caller(user=UserId("usr_1"), user_name="ana")


async def admit(
    document: str, variables: dict[str, Any] | None = None, *, compiled: bool = True, **more: Any
) -> Admitted:
    by = executor().under(Policy(compiled=compiled))
    return await by.admit(Request(query=document, variables=variables), CALLER, **more)


@pytest.mark.parametrize(("text", "is_on"), [(None, True), ("on", True), ("off", False)])
def test_it_is_on_unless_it_is_turned_off(text: str | None, is_on: bool) -> None:
    settings = read_settings({} if text is None else {"PERMGATE_COMPILED": text})

    assert make_policy(settings, executor()).compiled is is_on


def test_anything_else_is_refused() -> None:
    with pytest.raises(SettingsFaults, match="PERMGATE_COMPILED: `no` is neither `on` nor `off`"):
        read_settings({"PERMGATE_COMPILED": "no"})


@pytest.mark.of_plans
async def test_a_query_is_run_by_its_plan_or_by_graphql_core() -> None:
    assert isinstance((await admit("{ systems { key } }")).execution, Run)
    assert isinstance((await admit("{ systems { key } }", compiled=False)).execution, PiecewiseExecution)


@pytest.mark.parametrize(
    "document",
    [
        "mutation { archiveRole(input: {role: {key: \"x\"}}) { revision } }",
        "subscription { changes { revision } }",
        "{ __schema { queryType { name } } }",
        "{ systems { key } __type(name: \"User\") { name } }",
    ],
)  # fmt: skip
async def test_what_plans_do_not_know_is_run_by_graphql_core(document: str) -> None:
    admitted = await admit(document, only=LISTENED) if document.startswith("sub") else await admit(document)

    assert isinstance(admitted.execution, Core)


@pytest.mark.parametrize(
    ("variables", "messages"),
    [
        ({"ref": {"id": "x", "userName": "y"}}, 1),
        ({"ref": {}, "first": "many"}, 1),
        ({"first": 1.5}, 2),
        ({"ref": {"name": "x"}}, 1),
    ],
)
async def test_variables_are_refused_in_the_same_words(variables: dict[str, Any], messages: int) -> None:
    document = "query ($ref: UserRef!, $first: Int) { user(ref: $ref) { id } users(first: $first) { totalCount } }"
    told = []
    for compiled in (True, False):
        with pytest.raises(RequestFault) as refused:
            await admit(document, variables, compiled=compiled)
        told.append([error.formatted for error in refused.value.errors])

    assert told[0] == told[1]
    assert len(told[0]) == messages
