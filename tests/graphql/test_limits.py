"""What a document may ask for: its shape, its cost, and that counting them takes no longer than its text."""

from typing import Any

import pytest
from graphql import get_introspection_query

from app.domain.callers import Caller
from app.domain.holders import UserId
from app.graphql.execution import ANSWERED, Admitted, Executor, Request, RequestFault
from app.settings import Limits
from tests.factories import Gateway, each_of, executor

CALLER = Caller(user=UserId("usr_1"), user_name="olga")
LIMITS = Limits()


def admit(document: str, variables: dict[str, Any] | None = None, *, by: Executor | None = None) -> Admitted:
    return (by or executor())._admit(Request(query=document, variables=variables), CALLER, ANSWERED)


def refuse(document: str, variables: dict[str, Any] | None = None, *, by: Executor | None = None) -> list[str]:
    """Why a document is not taken."""
    with pytest.raises(RequestFault) as refused:
        admit(document, variables, by=by)
    return [error.message for error in refused.value.errors]


def double(times: int, leaf: str) -> str:
    """Fragments of which each spreads the next one twice: so many times the leaf as two to the power of `times`."""
    fragments = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(times)]
    return " ".join(["{ ...F0 }", *fragments, f"fragment F{times} on Query {{ {leaf} }}"])


# ---------------------------------------------------------------------- what is refused

AT_MOST = "an operation has at most {} {}, fragments spread out; this one has {}"
DEEP = '{ role(ref: {key: "a"}) { grants { permission { parent' + " { parent" * 13 + " { key" + " }" * 18
NESTED = "{ roles { edges { node { parents { parents { parents { parents { parents { key } } } } } } } } }"


@each_of(
    ("document", "message"),
    [
        ("{" + " revision" * 31 + " }", AT_MOST.format(30, "fields at its root", 31)),
        ("{" + " ... { revision }" * 31 + " }", AT_MOST.format(30, "fields at its root", 31)),
        (double(5, "revision"), AT_MOST.format(30, "fields at its root", 32)),
        ("{ systems {" + " key" * 101 + " } }", AT_MOST.format(100, "fields side by side", 101)),
        (
            "{ systems { ...F ...F } } fragment F on System {" + " key" * 51 + "}",
            AT_MOST.format(100, "fields side by side", 102),
        ),
        (DEEP, AT_MOST.format(16, "fields within each other", 18)),
        ("{ ...F } fragment F on Query " + DEEP, AT_MOST.format(16, "fields within each other", 18)),
        (NESTED, AT_MOST.format(5, "lists within each other", 6)),
        (
            "{ systems { key " + " ".join(f"a{n}: label" for n in range(51)) + " } }",
            AT_MOST.format(50, "aliases", 51),
        ),
        (
            "{ " + "systems { ...F } " * 26 + "} fragment F on System { a: key b: label }",
            AT_MOST.format(50, "aliases", 52),
        ),
        (
            "{ systems { key " + "label @skip(if: false) " * 51 + "} }",
            AT_MOST.format(50, "directives", 51),
        ),
        ("query" + " @nothing" * 51 + " { revision }", AT_MOST.format(50, "directives", 51)),
        (
            "{ " + "...F " * 26 + "} fragment F on Query @a { ... @b { __typename } }",
            AT_MOST.format(50, "directives", 52),
        ),
        ("{ " + "a" * 129 + ": revision }", "an alias has at most 128 characters; this one has 129"),
        ("{ revision # " + "x" * 65536 + "\n}", "a document has at most 65536 bytes; this one has 65551"),
        ("{ revision # " + "\u00e9" * 32768 + "\n}", "a document has at most 65536 bytes; this one has 65551"),
        ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "the fragment `A` contains itself"),
        ("{ ...A } fragment A on Query { revision ... { ...A } }", "the fragment `A` contains itself"),
    ],
)  # fmt: skip
async def test_a_document_that_asks_for_too_much_is_refused(gateway: Gateway, document: str, message: str) -> None:
    answer = await gateway.ask(document)

    assert set(answer) == {"errors"}
    assert message in [error["message"] for error in answer["errors"]]
    code = "GRAPHQL_PARSE_FAILED" if "bytes" in message else "GRAPHQL_VALIDATION_FAILED"
    assert {error["extensions"]["code"] for error in answer["errors"]} == {code}


@each_of(
    "document",
    [
        "{" + " revision" * 30 + " }",
        "{ systems { key " + " ".join(f"a{n}: label" for n in range(50)) + " } }",
        "query { " + "revision @skip(if: false) " * 30 + "}",
        "{ " + "a" * 128 + ": revision }",
        "{ roles { edges { node { parents { parents { parents { parents { key } } } } } } } }",
    ],
)  # fmt: skip
async def test_what_is_just_within_the_limits_is_answered(gateway: Gateway, document: str) -> None:
    await gateway.gql(document)


async def test_tools_may_ask_for_the_whole_schema(gateway: Gateway) -> None:
    """As GraphiQL does: it nests deeper than any other document may."""
    document = get_introspection_query(descriptions=True, input_value_deprecation=True, schema_description=True)

    data = await gateway.gql(document, operationName="IntrospectionQuery")

    assert {"User", "Query"} <= {kind["name"] for kind in data["__schema"]["types"]}


@each_of(
    "document",
    [
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
        # A fragment or an alias by a name of introspection is none.
        "{ ...__schema } fragment __schema on Query " + DEEP,
        DEEP.replace("role(", "__schema: role("),
    ],
)
async def test_introspection_is_no_way_around(gateway: Gateway, document: str) -> None:
    answer = await gateway.ask(document)

    assert set(answer) == {"errors"}


@each_of("times", [10, 30, 150])
async def test_fragments_that_double_are_counted_in_full_and_only_once(gateway: Gateway, times: int) -> None:
    """By walking along, the last of them would take longer than there has been time."""
    answer = await gateway.ask(double(times, "a: revision"))

    count = "1000000000000 or more" if times > 39 else 2**times
    assert [error["message"] for error in answer["errors"]] == [
        AT_MOST.format(30, "fields at its root", count), AT_MOST.format(100, "fields side by side", count),
        AT_MOST.format(50, "aliases", count),
    ]  # fmt: skip


def test_a_long_chain_of_fragments_is_no_deep_recursion() -> None:
    chain = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(60))

    assert admit(f"{{ ...F0 }} {chain} fragment F60 on Query {{ revision }}").cost == 101


# ---------------------------------------------------------------------- what errors say


async def test_an_error_repeats_no_long_name(gateway: Gateway) -> None:
    answer = await gateway.post({"query": "{ " + "x" * 50_000 + " }"})

    (error,) = answer.json()["errors"]
    assert len(error["message"]) == 200
    assert error["message"].endswith("\u2026")
    assert len(answer.content) < 1000


async def test_errors_are_few_and_short(gateway: Gateway) -> None:
    response = await gateway.post({"query": "{ systems {" + "".join(f" {'x' * 500}{n}" for n in range(100)) + " } }"})

    assert len(response.json()["errors"]) <= 9
    assert len(response.content) < 20_000


async def test_an_error_that_is_about_many_places_names_a_few(gateway: Gateway) -> None:
    document = "{ systems { " + "a: key a: label " * 25 + "} }"

    response = await gateway.post({"query": document})

    for error in response.json()["errors"]:
        assert len(error["locations"]) <= 8


async def test_errors_of_variables_are_few(gateway: Gateway) -> None:
    variables = {"ids": [{"x": n} for n in range(1000)]}

    answer = await gateway.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", variables)

    assert len(answer["errors"]) <= 9
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


# ---------------------------------------------------------------------- what a document costs

PEOPLE = "edges { node { id userName } }"  # four for each: the edge, the person, two texts


@each_of(
    ("document", "variables", "cost"),
    [
        ("{ __typename }", None, 101),
        ("{ revision revision }", None, 102),
        (f"{{ users {{ {PEOPLE} }} }}", None, 100 + 1 + 20 * 4),
        (f"{{ users(first: 7) {{ totalCount {PEOPLE} }} }}", None, 100 + 2 + 7 * 4),
        (f"{{ users(last: 7) {{ {PEOPLE} }} }}", None, 100 + 1 + 7 * 4),
        (f"{{ users(first: null, last: 7) {{ {PEOPLE} }} }}", None, 100 + 1 + 7 * 4),
        (f"{{ users(first: 0) {{ {PEOPLE} }} }}", None, 100 + 1),
        (f"query ($n: Int) {{ users(first: $n) {{ {PEOPLE} }} }}", {"n": 50}, 100 + 1 + 50 * 4),
        (f"query ($n: Int) {{ users(first: $n) {{ {PEOPLE} }} }}", {"n": None}, 100 + 1 + 20 * 4),
        (f"query ($n: Int) {{ users(first: $n) {{ {PEOPLE} }} }}", {}, 100 + 1 + 20 * 4),
        (f"query ($n: Int = 3) {{ users(first: $n) {{ {PEOPLE} }} }}", {}, 100 + 1 + 3 * 4),
        (f"query ($n: Int) {{ users(first: $n) {{ {PEOPLE} }} }}", {"n": -5}, 100 + 1),
        (f"query ($n: Int) {{ users(first: $n) {{ {PEOPLE} }} }}", {"n": 2_000_000_000}, 100 + 1 + 100 * 4),
        ("{ users(first: 7) { ...P } } fragment P on UserConnection { totalCount " + PEOPLE + " }", None, 130),
        ("{ users(first: 7) { ... on UserConnection { totalCount } ... { " + PEOPLE + " } } }", None, 130),
        ("query ($q: [CheckInput!]!) { checkMany(inputs: $q) { allowed } }", "questions", 100 + 3 * (10 + 1)),
        ('{ nodes(ids: ["a", "b"]) { id } }', None, 100 + 2 * (1 + 1)),
        ('{ nodes(ids: "a") { id } }', None, 100 + 1 * (1 + 1)),
        ("{ roles(first: 2) { edges { node { parents { key } } } } }", None, 100 + 1 + 2 * (1 + 1 + 1 + 3 * 1)),
        ('mutation { createUser(input: {userName: "ana", dryRun: true}) { revision } }', None, 100 + 400 + 1),
    ],
)
async def test_a_document_costs_what_it_may_answer(document: str, variables: Any, cost: int) -> None:
    if variables == "questions":
        variables = {"q": [{"user": {"userName": "ana"}, "node": "desk.reports.menu"}] * 3}
    assert admit(document, variables).cost == cost


async def test_an_answer_tells_its_cost(gateway: Gateway) -> None:
    response = await gateway.post({"query": f"{{ users(first: 7) {{ {PEOPLE} }} }}"})

    told = response.json()["extensions"]["cost"]
    assert told == {
        "requested": 129, "limit": LIMITS.max_cost, "remaining": told["remaining"],
        "restoreRate": LIMITS.caller_refill,
    }  # fmt: skip
    assert LIMITS.caller_budget - 10_000 < told["remaining"] <= LIMITS.caller_budget


async def test_what_costs_too_much_is_refused_before_it_is_run(gateway: Gateway) -> None:
    document = """query ($n: Int) { users(first: $n) { edges { node {
      effectiveRights { permission { key } state value { text } granted { text } }
    } } } }"""

    answer = await gateway.ask(document, {"n": 100})

    (error,) = answer["errors"]
    assert set(answer) == {"errors"}
    assert error["message"] == (
        "the operation costs 205301 and may cost 200000: ask for smaller pages, or for less of each entry"
    )
    assert error["extensions"] == {"code": "COST_ESTIMATED_TOO_EXPENSIVE", "requested": 205301, "limit": 200000}
    await gateway.gql(document, {"n": 10})


async def test_a_thousand_questions_are_not_too_many(gateway: Gateway) -> None:
    asked = [{"user": {"userName": "olga"}, "node": "desk.reports.menu"}] * 1000

    data = await gateway.gql(
        "query ($inputs: [CheckInput!]!) { checkMany(inputs: $inputs) { allowed state value { text } "
        "missing { text } missingFacts errors { code } } }",
        {"inputs": asked},
    )  # fmt: skip

    assert len(data["checkMany"]) == 1000


def test_the_cost_is_counted_anew_for_other_sizes_and_kept_for_the_same() -> None:
    document = "query ($n: Int, $x: String) { users(first: $n, filter: {search: $x}) { edges { node { id } } } }"
    costs = executor().prepare(document).costs

    found = [admit(document, {"n": n, "x": text}).cost for n in (3, 5, 3) for text in ("a", "b")]

    assert found == [110, 110, 116, 116, 110, 110]
    assert len(costs._known) == 2


def test_what_is_kept_of_costs_has_an_end() -> None:
    document = "query ($n: Int) { users(first: $n) { edges { node { email } } } }"
    for size in range(101):
        assert admit(document, {"n": size}).cost == 101 + 3 * size
    assert len(executor().prepare(document).costs._known) <= 64


# ---------------------------------------------------------------------- chosen by whoever runs it


@each_of(
    ("limits", "document"),
    [
        (Limits(max_tokens=5), "{ revision viewer { user { id } } }"),
        (Limits(max_document_bytes=20), "{ revision viewer { user { id } } }"),
        (Limits(max_depth=2), "{ revision viewer { user { id } } }"),
        (Limits(max_root_fields=1), "{ revision viewer { user { id } } }"),
        (Limits(max_fields=2, max_root_fields=2), "{ viewer { user { id userName email } } }"),
        (Limits(max_list_depth=1), "{ users { edges { node { roles { id } } } } }"),
        (Limits(max_aliases=1), "{ a: revision b: revision }"),
        (Limits(max_directives=1), "{ revision @skip(if: true) @include(if: true) }"),
        (Limits(max_cost=102), "{ revision viewer { user { id } } }"),
    ],
)
async def test_each_limit_is_a_setting(limits: Limits, document: str) -> None:
    admit(document)
    assert len(refuse(document, by=executor().within(limits))) == 1
