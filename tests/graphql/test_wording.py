"""What is said of values that do not fit: in GraphQL's words, not in those of Python."""

from typing import Any

from app.graphql.wording import reword
from tests.factories import Gateway, each_of

CHECK = "query ($i: CheckInput!) { check(input: $i) { allowed } }"
STATES = 'query ($i: [RightState!]) { user(ref: {id: "a"}) { effectiveRights(states: $i) { state } } }'
WRONG = "Variable '$i' has invalid value"


@each_of(
    ("document", "value", "message"),
    [
        (CHECK, None, f"{WRONG}: Expected value of non-null type 'CheckInput!' not to be null."),
        (
            CHECK, {"user": {"userName": "None, it's {'a': True}"}, "nodes": [None, True, 1.5, {}]},
            (f"{WRONG}: Expected value of type 'CheckInput' to include required field 'node', "
            """found: { user: { userName: "None, it's {'a': True}" }, nodes: [null, true, 1.5, {}] }."""),
        ),
        (
            CHECK, {"node": "x", "at once": 'say "x"'},
            (f"{WRONG}: Expected value of type 'CheckInput' not to include unknown field 'at once', "
            """found: { node: "x", "at once": "say \\"x\\"" }."""),
        ),
        (CHECK, "None", f"""{WRONG}: Expected value of type 'CheckInput' to be an object, found: "None"."""),
        (STATES, [{"a": None}], f"{WRONG} at [0]: Enum 'RightState' cannot represent non-string value: {{ a: null }}."),
        ("query ($i: Int) { users(first: $i) { totalCount } }", False,
         f"{WRONG}: Int cannot represent non-integer value: false"),
        ("query ($i: String!) { system(key: $i) { key } }", ["\n", "\u00e9", "\u200b"],
         f"""{WRONG}: String cannot represent a non string value: ["\\n", "\u00e9", "\\u200b"]"""),
        ("{ check(input: null) { allowed } }", None, "Expected value of non-null type 'CheckInput!' not to be null."),
    ],
)  # fmt: skip
async def test_values_are_shown_as_a_document_has_them(
    gateway: Gateway, document: str, value: Any, message: str
) -> None:
    answer = await gateway.ask(document, {"i": value})

    assert message in [error["message"] for error in answer["errors"]]


@each_of(
    "message",
    [
        "there is no node `None`",
        "Variable '$a' has invalid value: Expected a value of non-null type 'CheckInput!' to be provided.",
        "Cannot query field 'None' on type 'Query'.",
        "Variable '$a' has invalid value: String cannot represent a non string value: '\\u00...'",
    ],
)
async def test_what_else_is_said_stays(message: str) -> None:
    assert reword(message) == message
