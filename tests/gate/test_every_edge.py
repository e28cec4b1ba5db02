"""Every edge of the graph and every `node` path, walked by callers who may see nothing, or one contract only.

The documents are generated from the schema, so that a field that is added is walked without anybody thinking of it. A
walk by the account owner shows that they do reach everything.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_object_type,
    is_required_argument,
)

from app.graphql.schema import build_schema
from app.settings import Limits, Settings
from tests.factories import Clock, Gateway, Place, Template, fill_template, open_gateway, select
from tests.gate.worlds import stock_two_contracts
from tests.syncing import level, person, planned, role, sync

UNBOUNDED = Limits(  # a walk asks for many things at once, which no client does
    max_root_fields=10**6, max_fields=10**6, max_aliases=10**6, max_tokens=10**6, max_document_bytes=10**7,
    max_cost=10**9, caller_refill=10**9,
)  # fmt: skip
pytestmark = pytest.mark.long
SCHEMA: GraphQLSchema = build_schema()._schema
SECRET = re.compile(r"beta|\b4242\b")  # the words of whatever is of C-B-beta, and its credit
ECHO = re.compile(r"there is no (user|contract) `[^`]*`")  # what was asked for, given back
CONTRACTS = ("C-A", "C-B-beta")
EVERYTHING = "SELECT id FROM identities UNION SELECT id FROM sync_runs"
PEOPLE = ("olga", "nora", "vera", "ann", "abe", "bob-beta", "bea-beta")


# ---------------------------------------------------------------------- documents


def arguments_of(field: GraphQLField, ids: list[str]) -> Iterator[str]:
    """Ways to fill the arguments of a field: every contract, and whatever it cannot do without."""
    required = [name for name, argument in field.args.items() if is_required_argument(argument)]
    choices = [""]
    if "contract" in field.args and not is_required_argument(field.args["contract"]):
        choices += [f'contract: {{number: "{number}"}}' for number in CONTRACTS]
    for name in required:
        kind = str(get_named_type(field.args[name].type))
        choices = [
            ", ".join(part for part in (choice, filled) if part)
            for choice in choices
            for filled in values_of(name, kind, ids)
        ]
    extra = "first: 100" if "first" in field.args else ""
    for choice in choices:
        filled = ", ".join(part for part in (choice, extra) if part)
        yield f"({filled})" if filled else ""


def values_of(name: str, kind: str, ids: list[str]) -> list[str]:
    """Values of a required argument."""
    users = [f'{{userName: "{user}"}}' for user in PEOPLE]
    known = {
        "UserRef": users,
        "RoleRef": ['{key: "common"}'],
        "TeamRef": ['{key: "crew"}'],
        "ContractRef": [f'{{number: "{number}"}}' for number in CONTRACTS],
    }
    if kind in known:
        return [f"{name}: {value}" for value in known[kind]]
    if kind == "ID":
        if name == "ids":
            return [f"{name}: {json.dumps(ids[start : start + 100])}" for start in range(0, len(ids), 100)]
        return [f'{name}: "{one}"' for one in ids]
    if kind == "CheckInput":
        contracts = ["", *(f', contract: {{number: "{number}"}}' for number in CONTRACTS)]
        asked = [f'{{user: {user}, node: "desk.reports.export"{c}}}' for user in users for c in contracts]
        return [f"{name}: {question}" for question in asked]
    if kind == "ChangeInput":
        user = '{user: {userName: "bob-beta"}}'
        return [f'{name}: [{{grant: {{holder: {user}, grant: {{permission: "desk.reports.menu"}}}}}}]']
    texts = {"node": "desk.reports.export", "key": "desk.reports.export"}
    return [f'{name}: "{texts[name]}"'] if name in texts else []


def leaves(kind: GraphQLNamedType) -> list[str]:
    fields = kind.fields if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) else {}
    return ["__typename", *(name for name, f in fields.items() if is_leaf(f) and not needs_argument(f))]


def is_leaf(field: GraphQLField) -> bool:
    return is_leaf_type(get_named_type(field.type))


def needs_argument(field: GraphQLField) -> bool:
    return any(is_required_argument(argument) for argument in field.args.values())


def select_of(kind: GraphQLNamedType) -> str:
    """Every leaf of a type and of the types that implement it."""
    if not is_abstract_type(kind):
        return " ".join(leaves(kind))
    parts = ["__typename"]
    for possible in SCHEMA.get_possible_types(kind):  # type: ignore[arg-type]  # it is abstract
        # Fields of one name may differ in nullability from type to type, so each has a name of its own.
        named = (f"{possible.name}_{leaf}: {leaf}" for leaf in leaves(possible))
        parts.append(f"... on {possible.name} {{ {' '.join(named)} }}")
    return " ".join(parts)


Way = tuple[str, ...]  # selections, each of which holds the next


class Walk:
    """Ways to every field of every object type that queries lead to, the shortest there are."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids
        self._ways: dict[str, list[Way]] = {}  # by the type that they lead to

    def documents(self) -> Iterator[tuple[str, str]]:
        """Each edge by all its ways, as (coordinate, document); ways of one root field stand in one document."""
        query = SCHEMA.query_type
        assert query is not None
        waiting = [query.name]
        self._ways[query.name] = [()]
        while waiting:
            kind = SCHEMA.type_map[waiting.pop(0)]
            assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
            for name, field in kind.fields.items():
                if is_leaf(field) and not needs_argument(field):
                    continue
                filled = list(arguments_of(field, self.ids))
                assert filled, f"no arguments are known for {kind.name}.{name}"
                found = [(*way, f"{name}{arguments}") for way in self._ways[kind.name] for arguments in filled]
                inner = get_named_type(field.type)
                for ways in together(found):
                    yield f"{kind.name}.{name}", write(ways, None if is_leaf(field) else inner)
                if not is_leaf(field):
                    waiting += self._remember(inner, found)

    def _remember(self, kind: GraphQLNamedType, found: list[Way]) -> Iterator[str]:
        """Keeps the ways to a type, and to those that implement it, where there are none yet; which are new."""
        possible = SCHEMA.get_possible_types(kind) if is_abstract_type(kind) else []  # type: ignore[arg-type]
        for one in (kind, *possible):
            if one.name not in self._ways and isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
                narrowed = found if one is kind else [(*way, f"... on {one.name}") for way in found]
                self._ways[one.name] = narrowed[:MOST_WAYS]
                yield one.name


MOST_WAYS = 24  # to one type: one by each person, in each contract
TOGETHER = 12  # ways in one document, which has to stay below the limit of tokens


def together(ways: list[Way]) -> Iterator[list[Way]]:
    """Ways in groups of one root field: a refusal there takes the rest of its document along."""
    of_root: dict[str, list[Way]] = {}
    for way in ways:
        of_root.setdefault(re.match(r"\w+", way[0])[0], []).append(way)  # type: ignore[index]  # it begins with a name
    for group in of_root.values():
        for start in range(0, len(group), TOGETHER):
            yield group[start : start + TOGETHER]


def write(ways: list[Way], kind: GraphQLNamedType | None) -> str:
    lines = []
    for number, way in enumerate(ways):
        text = "" if kind is None else "...Leaves"
        for step in reversed(way):
            text = f"{step} {{ {text} }}" if text else step
        lines.append(f"w{number}: {text}")
    fragment = "" if kind is None else f" fragment Leaves on {kind.name} {{ {select_of(kind)} }}"
    return f"{{ {' '.join(lines)} }}{fragment}"


# ---------------------------------------------------------------------- walking


async def stock_all(gateway: Gateway) -> None:
    """The two contracts, and runs of two sources: one applied, one that is planned and tells of things of C-B."""
    await stock_two_contracts(gateway)
    await sync(gateway, source="hr", users=[person("sid")])
    told = person("bert-beta", access=[level(number="C-B-beta")], roles=[role("common", contract={"number": "C-A"})])
    gateway.ids["run"] = (await planned(gateway, source="idp", users=[told]))["id"]


@pytest.fixture(scope="module")
def two_contracts(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    return fill_template(template, tmp_path_factory.mktemp("two") / "template.db", stock_all)


@pytest.fixture
async def two(two_contracts: Template, tmp_path: Path, clock: Clock, shared_schema: None) -> Any:
    settings = Settings(limits=UNBOUNDED)
    async with open_gateway(two_contracts, tmp_path / "two.db", clock, settings) as gateway:
        yield gateway


Answers = dict[str, str]  # what each edge answered, as text, all its documents together
WALKED: dict[Place, dict[str, Answers]] = {}  # by the template: the callers walk together, once for a process


@pytest.fixture
async def walked(two: Gateway, two_contracts: Template) -> dict[str, Answers]:
    """What the owner, `nora` and `vera` were answered, each document asked by one after the other.

    To read and check a document takes three times as long as to answer it, and it is the same for all of them.
    """
    if two_contracts.path not in WALKED:
        callers = {"olga": two.token, "nora": two.ids["token nora"], "vera": two.ids["token vera"]}
        WALKED[two_contracts.path] = await walk(two, callers)
    return WALKED[two_contracts.path]


async def walk(gateway: Gateway, tokens: dict[str, str]) -> dict[str, Answers]:
    """What each edge answered to each caller."""
    ids = [
        row[0] for row in select(gateway.path, "SELECT id FROM identities UNION SELECT id FROM sync_runs ORDER BY 1")
    ]
    found: dict[str, Answers] = {caller: {} for caller in tokens}
    for coordinate, document in Walk(ids).documents():
        for caller, token in tokens.items():
            response = await gateway.post({"query": document}, token=token)
            answer = response.json()
            assert response.status_code == 200, (caller, coordinate, document, answer)
            codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
            assert codes <= {"FORBIDDEN", "BAD_USER_INPUT"}, (caller, coordinate, document, answer)
            told = ECHO.sub("", json.dumps(answer))
            found[caller][coordinate] = found[caller].get(coordinate, "") + told
    return found


def ids_in(answers: Answers) -> dict[str, set[str]]:
    """Where each id was answered."""
    found: dict[str, set[str]] = {}
    for coordinate, text in answers.items():
        for one in re.findall(r"\b[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}\b", text):
            found.setdefault(one, set()).add(coordinate)
    return found


def hidden_ids(gateway: Gateway) -> set[str]:
    """The ids of C-B, of the people who are in it alone, of whatever is scoped to it or hangs on them, of sync runs."""
    contract = gateway.ids["C-B-beta"]
    people = {gateway.ids[name] for name in ("bob-beta", "bea-beta")}
    hidden = {contract, *people}
    for table, holder in (
        ("grants", "holder"), ("limits", "holder"), ("assignments", "holder"), ("memberships", "user"),
        ("access_levels", "user"),
    ):  # fmt: skip
        for one, row_holder, scope in select(gateway.path, f'SELECT id, "{holder}", contract FROM {table}'):
            if scope == contract or row_holder in people:
                hidden.add(one)
    hidden |= {row[0] for row in select(gateway.path, "SELECT id, user FROM tokens") if row[1] in people}
    return hidden | {row[0] for row in select(gateway.path, "SELECT id FROM sync_runs")}


async def test_the_walk_reaches_every_edge_and_everything_that_is_to_be_hidden(
    two: Gateway, walked: dict[str, Answers]
) -> None:
    answers = walked["olga"]

    edges = {
        f"{name}.{field}"
        for name, kind in SCHEMA.type_map.items()
        if is_object_type(kind) and not name.startswith("__") and name in reachable()
        for field, definition in kind.fields.items()
        if not is_leaf(definition) or needs_argument(definition)
    }
    assert edges - set(answers) == set()
    assert set(hidden_ids(two)) - set(ids_in(answers)) == set()
    assert [edge for edge, text in answers.items() if "FORBIDDEN" in text] == []


def reachable() -> set[str]:
    """The object types that queries lead to."""
    return _reach(SCHEMA.query_type, set())


def _reach(kind: GraphQLNamedType | None, found: set[str]) -> set[str]:
    if kind is None or kind.name in found or is_leaf_type(kind):
        return found
    found.add(kind.name)
    if is_abstract_type(kind):
        for possible in SCHEMA.get_possible_types(kind):  # type: ignore[arg-type]  # it is abstract
            _reach(possible, found)
    for field in getattr(kind, "fields", {}).values():
        _reach(get_named_type(field.type), found)
    return found


async def test_who_may_see_nothing_sees_themselves_alone(two: Gateway, walked: dict[str, Answers]) -> None:
    answers = walked["nora"]

    assert {edge: match[0] for edge, text in answers.items() if (match := SECRET.search(text))} == {}
    others = {row[0] for row in select(two.path, EVERYTHING)}
    others.remove(two.ids["nora"])
    tokens = {row[0] for row in select(two.path, "SELECT id FROM tokens WHERE user = ?", two.ids["nora"])}
    assert {one: edges for one, edges in ids_in(answers).items() if one in others - tokens} == {}
    assert two.ids["nora"] in ids_in(answers)


async def test_who_may_see_one_contract_sees_nothing_of_another(two: Gateway, walked: dict[str, Answers]) -> None:
    answers = walked["vera"]

    assert {edge: match[0] for edge, text in answers.items() if (match := SECRET.search(text))} == {}
    hidden = hidden_ids(two)
    assert {one: edges for one, edges in ids_in(answers).items() if one in hidden} == {}
    assert {two.ids["C-A"], two.ids["ann"]} <= set(ids_in(answers))
