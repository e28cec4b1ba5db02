"""Documents: aliases, fragments, variables, operation names, and what is refused before anything runs."""

from typing import Any

from tests.factories import Gateway, each_of, holder


async def test_aliases(world: Gateway) -> None:
    data = await world.gql("""{
      a: user(ref: {userName: "ana"}) { name: userName }
      b: user(ref: {userName: "ben"}) { name: userName same: userName userName }
    }""")

    assert data == {"a": {"name": "ana"}, "b": {"name": "ben", "same": "ben", "userName": "ben"}}


async def test_fragments_on_interfaces_and_types(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.staff.read_contacts")
    document = """
      query ($ids: [ID!]!) { nodes(ids: $ids) { ...anything } }
      fragment anything on Node {
        __typename id
        ... on Holder { displayName grants { ...row } }
        ... on User { userName }
        ... on Role { key }
        ... on Team { kind }
        ... on Contract { number }
        ... on PermissionNode { label }
        ... on Permission { polarity }
        ...row
      }
      fragment row on Grant { permission { ...named } }
      fragment named on PermissionNode { key }
    """
    node = (await world.gql('{ permissionNode(key: "desk.reports.menu") { id } }'))["permissionNode"]["id"]
    ids = [world.ids[key] for key in ("ana", "agents", "night", "C-1")] + [node]

    data = await world.gql(document, {"ids": ids})

    assert data["nodes"] == [
        {
            "__typename": "User", "id": ids[0], "displayName": "ana", "userName": "ana",
            "grants": [
                {"permission": {"key": "desk.staff.show_phone"}}, {"permission": {"key": "desk.staff.read_contacts"}}
            ],
        },
        {
            "__typename": "Role", "id": ids[1], "displayName": "agents", "key": "agents",
            "grants": [{"permission": {"key": "desk.reports.menu"}}],
        },
        {"__typename": "Team", "id": ids[2], "displayName": "night", "kind": "TEAM", "grants": []},
        {"__typename": "Contract", "id": ids[3], "number": "C-1"},
        {"__typename": "Permission", "id": node, "label": "Reports menu", "polarity": "PERMISSION"},
    ]  # fmt: skip


async def test_variables_their_defaults_and_directives(world: Gateway) -> None:
    document = """query ($name: String! = "ana", $more: Boolean! = false) {
      user(ref: {userName: $name}) { userName status @include(if: $more) kind @skip(if: $more) }
    }"""

    assert await world.gql(document) == {"user": {"userName": "ana", "kind": "PERSON"}}
    assert await world.gql(document, {"name": "ben", "more": True}) == {"user": {"userName": "ben", "status": "ACTIVE"}}


async def test_introspection_tells_the_schema(world: Gateway) -> None:
    data = await world.gql("""{ __schema { queryType { name } mutationType { name } subscriptionType { name } }
      __type(name: "UserRef") { kind isOneOf inputFields { name } } }""")

    assert data == {
        "__schema": {
            "queryType": {"name": "Query"}, "mutationType": {"name": "Mutation"},
            "subscriptionType": {"name": "Subscription"},
        },
        "__type": {
            "kind": "INPUT_OBJECT", "isOneOf": True,
            "inputFields": [{"name": "id"}, {"name": "userName"}, {"name": "externalId"}],
        },
    }  # fmt: skip


# ---------------------------------------------------------------------- operation names

TWO = "query One { revision } query Two { viewer { user { userName } } }"


@each_of(
    ("document", "name", "field"),
    [
        ("{ revision }", None, "revision"),
        ("{ revision }", "", "revision"),
        ("query One { revision }", None, "revision"),
        ("query One { revision }", "One", "revision"),
        (TWO, "One", "revision"),
        (TWO, "Two", "viewer"),
    ],
)
async def test_the_operation_named_is_run_or_the_only_one(
    gateway: Gateway, document: str, name: str | None, field: str
) -> None:
    data = await gateway.gql(document, operationName=name)

    assert list(data) == [field]


@each_of(
    ("document", "name", "message"),
    [
        (TWO, None, "name one of the operations of the document"),
        (TWO, "", "name one of the operations of the document"),
        (TWO, "Three", "the document has no operation of this name"),
        (TWO, "one", "the document has no operation of this name"),
        ("{ revision }", "One", "the document has no operation of this name"),
        ("query One { revision }", "Two", "the document has no operation of this name"),
    ],
)
async def test_no_operation_is_guessed(gateway: Gateway, document: str, name: str | None, message: str) -> None:
    answer = await gateway.ask(document, operationName=name)

    assert answer == {"errors": [{"message": message, "extensions": {"code": "OPERATION_RESOLUTION_FAILURE"}}]}


async def test_of_two_mutations_only_the_one_named_is_done(gateway: Gateway) -> None:
    document = """
      mutation A { createUser(input: {userName: "a"}) { revision } }
      mutation B { createUser(input: {userName: "b"}) { revision } }
    """

    await gateway.gql(document, operationName="B")

    data = await gateway.gql("{ users { edges { node { userName } } } }")
    assert [edge["node"]["userName"] for edge in data["users"]["edges"]] == ["b", "olga"]


# ---------------------------------------------------------------------- refused before anything runs

CREATE = 'createUser(input: {userName: "ana"}) { revision }'


@each_of(
    ("document", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("query {", "GRAPHQL_PARSE_FAILED"),
        ("hello", "GRAPHQL_PARSE_FAILED"),
        ("{ }", "GRAPHQL_PARSE_FAILED"),
        ("{ revision viewer { } }", "GRAPHQL_PARSE_FAILED"),
        ("mutation { ...f } fragment f on Mutation { }", "GRAPHQL_PARSE_FAILED"),
        ("{ revision } }", "GRAPHQL_PARSE_FAILED"),
        ('{ user(ref: {userName: "\\uD800"}) { id } }', "GRAPHQL_PARSE_FAILED"),
        ("{ " + "revision " * 2000 + "}", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ revision { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ user { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ users(filter: {status: GONE}) { totalCount } }", "GRAPHQL_VALIDATION_FAILED"),
        ('{ users(first: "1") { totalCount } }', "GRAPHQL_VALIDATION_FAILED"),
        ("{ users(first: 99999999999) { totalCount } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query ($x: Nothing) { revision }", "GRAPHQL_VALIDATION_FAILED"),
        ("query { revision ...f } fragment f on Query { ...f }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { revision } query A { revision }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ revision } query A { revision }", "GRAPHQL_VALIDATION_FAILED"),
        ("fragment f on Query { revision }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { nothing { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { changes { id } }", "BAD_REQUEST"),  # over a WebSocket alone
        (f"mutation {{ {CREATE} nothing }}", "GRAPHQL_VALIDATION_FAILED"),
        ("type User { id: ID }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_a_document_that_cannot_be_run_is_refused_whole(gateway: Gateway, document: str, code: str) -> None:
    async with gateway.unchanged():
        answer = await gateway.ask(document)

    assert set(answer) == {"errors"}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {code}


@each_of(
    "document",
    [
        "{ user(ref: {}) { id } }",
        '{ user(ref: {id: "x", userName: "y"}) { id } }',
        "{ user(ref: {id: null}) { id } }",
        '{ user(ref: {id: null, userName: "olga"}) { id } }',
        "query ($name: String) { user(ref: {userName: $name}) { id } }",
        'query ($id: ID) { user(ref: {id: $id, userName: "olga"}) { id } }',
    ],
)
async def test_a_one_of_in_the_document_names_exactly_one_thing(gateway: Gateway, document: str) -> None:
    answer = await gateway.ask(document)

    assert {error["extensions"]["code"] for error in answer["errors"]} <= {
        "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"
    }  # fmt: skip


@each_of(
    ("head", "variables"),
    [
        ("$input: CreateUserInput!", {}),
        ("$input: CreateUserInput!", None),
        ("$input: CreateUserInput!", {"input": None}),
        ("$input: CreateUserInput!", {"input": {}}),
        ("$input: CreateUserInput!", {"input": {"userName": 1}}),
        ("$input: CreateUserInput!", {"input": {"userName": ["a"]}}),
        ("$input: CreateUserInput!", {"input": {"userName": "a", "nothing": 1}}),
        ("$input: CreateUserInput!", {"input": {"userName": "a", "dryRun": None}}),
        ("$input: CreateUserInput!", {"input": {"userName": "a", "dryRun": "no"}}),
        ("$input: CreateUserInput!", {"input": "a"}),
    ],
)
async def test_variables_that_do_not_fit_are_refused_before_anything_runs(
    gateway: Gateway, head: str, variables: dict[str, Any] | None
) -> None:
    document = f"mutation ({head}) {{ first: {CREATE} createUser(input: $input) {{ revision }} }}"

    async with gateway.unchanged():
        answer = await gateway.ask(document, variables)

    assert set(answer) == {"errors"}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


@each_of(
    "document",
    ["{ users(first: %s) { totalCount } }", "{ nodes(ids: [1, [%s]]) { id } }", "query ($n: Int = %s) { revision }",
     "{ users(filter: {status: %s}) { totalCount } }", "{ users(filter: {a: {b: [%s]}}) { totalCount } }"],
)  # fmt: skip
@each_of("number", ["9" * 21, "-" + "9" * 5000, "1e" + "9" * 5000, "0." + "1" * 5000])
async def test_a_number_of_very_many_digits_is_refused_in_our_own_words(
    gateway: Gateway, document: str, number: str
) -> None:
    answer = await gateway.ask(document % number)

    assert set(answer) == {"errors"}
    assert "a number has at most 20 digits" in [error["message"] for error in answer["errors"]]
    assert "4300" not in str(answer)


async def test_variables_that_nobody_asked_for_are_left_alone(gateway: Gateway) -> None:
    assert "revision" in await gateway.gql("{ revision }", {"x": [1, {"y": None}]})


async def test_a_list_is_not_made_of_a_single_value_by_accident(world: Gateway) -> None:
    """GraphQL lets a single value stand for a list of one: it is one grant."""
    payload = await world.mutate(
        "grantPermissions", {"holder": holder(user="cleo"), "grants": {"permission": "desk.reports.menu"}}
    )

    assert len(payload["changes"]) == 1


@each_of("depth", [30, 150, 660])
async def test_nesting_does_no_harm(gateway: Gateway, depth: int) -> None:
    response = await gateway.post(
        {"query": "{ roles { edges { node {" + " parents {" * depth + " id " + "}" * depth + "}}}}"}
    )

    assert response.status_code == 200
    answer = response.json()
    if "errors" in answer:
        assert {error["extensions"]["code"] for error in answer["errors"]} <= {
            "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"
        }  # fmt: skip


async def test_eight_errors_of_a_document_are_told(gateway: Gateway) -> None:
    answer = await gateway.ask("{ " + " ".join(f"nothing{number}" for number in range(20)) + " }")

    assert 8 <= len(answer["errors"]) <= 9  # the ninth may say that there are more


async def test_a_fault_in_one_field_leaves_the_others(world: Gateway) -> None:
    answer = await world.ask("""{
      revision
      users(first: 101) { totalCount }
    }""")

    assert answer["data"] is None  # `users` may not be null, so nothing is left
    assert [error["path"] for error in answer["errors"]] == [["users"]]

    answer = await world.ask("""{
      good: user(ref: {userName: "ana"}) { userName }
      bad: permissionNode(key: "desk.reports.menu") { key ... on Permission { holders(first: 101) { totalCount } } }
    }""")
    assert answer["data"] == {"good": {"userName": "ana"}, "bad": None}
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["bad", "holders"], "BAD_USER_INPUT")
