"""A list that is narrowed tells no more than what a caller may see anyway: a filter is a question, too."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.factories import Clock, Gateway, Template, fill_template, holder, open_gateway
from tests.gate.worlds import stock_two_contracts


async def stock(gateway: Gateway) -> None:
    """Ann has the role `common` in C-A and the role `rare` everywhere; `rare` grants exports everywhere."""
    await stock_two_contracts(gateway)
    await gateway.create_role("rare", "desk.reports.export")
    await gateway.assign(holder(user="ann"), "rare")


@pytest.fixture(scope="module")
def stocked(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    return fill_template(template, tmp_path_factory.mktemp("filters") / "template.db", stock)


@pytest.fixture
async def two(stocked: Template, tmp_path: Path, clock: Clock, shared_schema: None) -> AsyncIterator[Gateway]:
    async with open_gateway(stocked, tmp_path / "filters.db", clock) as gateway:
        yield gateway


async def find(gateway: Gateway, caller: str, what: str, wanted: str) -> tuple[list[str], int]:
    name = {"users": "userName", "roles": "key"}[what]
    document = f"{{ {what}(filter: {{ {wanted} }}) {{ totalCount edges {{ node {{ {name} }} }} }} }}"
    found = (await gateway.gql(document, token=gateway.ids.get(f"token {caller}")))[what]
    return [edge["node"][name] for edge in found["edges"]], found["totalCount"]


@pytest.mark.parametrize(
    ("caller", "what", "wanted", "names"),
    [
        ("olga", "roles", 'grants: "desk.reports.export"', ["rare"]),
        ("vera", "roles", 'grants: "desk.reports.export"', []),  # the row counts everywhere, and vera sees C-A
        ("vera", "roles", 'grants: "desk.calls.channels"', ["common"]),
        ("nora", "roles", 'grants: "desk.calls.channels"', []),
        ("olga", "users", 'role: {key: "rare"}', ["ann"]),
        ("vera", "users", 'role: {key: "rare"}', []),
        ("vera", "users", 'role: {key: "common"}', ["ann"]),
        ("vera", "users", 'team: {key: "crew"}', ["ann"]),
        ("nora", "users", 'team: {key: "crew"}', []),
        ("olga", "users", 'contract: {number: "C-B-beta"}', ["bea-beta", "bob-beta"]),
        ("vera", "users", 'contract: {number: "C-B-beta"}', []),
        ("vera", "users", 'contract: {number: "C-A"}', ["abe", "ann", "vera"]),
        ("vera", "users", 'search: "beta"', []),
    ],
)
async def test_a_filter_finds_what_the_caller_may_see(
    two: Gateway, caller: str, what: str, wanted: str, names: list[str]
) -> None:
    assert await find(two, caller, what, wanted) == (names, len(names))
