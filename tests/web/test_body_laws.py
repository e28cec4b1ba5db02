"""Laws of the body entry: whatever bytes come, they are a request of the right shape or one clear refusal.

By default 500 examples a law; `-m deep` looks at 100,000.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.graphql.execution import Request
from app.web.protocol import MAX_DEPTH, ProtocolFault, _check_bounds, read_body

law = pytest.mark.parametrize(
    "count", [pytest.param(500, id="default"), pytest.param(100_000, id="deep", marks=pytest.mark.deep)]
)
NAMES = ("query", "variables", "operationName", "extensions", "documentId", "id", "__proto__", "quéry", "")
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.text(max_size=8),
    st.just("{ viewer { id } }"),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(NAMES), values, max_size=6)


def run(count: int, statement: Callable[[Any], None], drawn: st.SearchStrategy[Any]) -> None:
    large = [HealthCheck.too_slow, HealthCheck.data_too_large]
    settings(max_examples=count, deadline=None, suppress_health_check=large)(given(drawn)(statement))()


def read(body: bytes) -> Request | None:
    """The request of a body; None where it is refused, as it has to be: as the client's fault, and in words."""
    try:
        return read_body(body)
    except ProtocolFault as raised:
        fault = raised
    assert 400 <= fault.status < 500
    assert 0 < len(fault.message) < 300
    fault.message.encode()
    return None


def check_shape(request: Request) -> None:
    assert request.query is None or (isinstance(request.query, str) and request.query.strip())
    assert request.variables is None or isinstance(request.variables, dict)
    assert request.operation_name is None or (isinstance(request.operation_name, str) and request.operation_name)


@law
def test_any_bytes_are_a_request_or_refused(count: int) -> None:
    def statement(body: bytes) -> None:
        request = read(body)
        if request is not None:
            check_shape(request)

    run(
        count,
        statement,
        st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")),
    )


@law
def test_any_object_is_a_request_or_refused(count: int) -> None:
    taken = 0

    def statement(content: dict[str, Any]) -> None:
        nonlocal taken
        request = read(json.dumps(content).encode("utf-8", "surrogatepass"))
        if request is not None:
            check_shape(request)
            taken += 1
            assert request.query in {None, content.get("query")}
            assert request.variables == content.get("variables")

    run(count, statement, objects | objects.map(lambda content: {**content, "query": "{ viewer { id } }"}))
    assert taken > count // 50


@law
def test_a_body_that_was_bent_is_a_request_or_refused(count: int) -> None:
    """Cut, doubled, or with a byte exchanged, at any place."""
    sound = json.dumps(
        {"query": 'query Q($a: [Int!]) { viewer { id } }  # "{[', "variables": {"a": [1, 2.5e3, "\\u00e9"]}}
    ).encode()

    def statement(bend: tuple[int, int, bytes]) -> None:
        start, length, put = bend
        request = read(sound[:start] + put + sound[start + length :])
        if request is not None:
            check_shape(request)

    places = st.integers(0, len(sound))
    run(
        count,
        statement,
        st.tuples(places, st.integers(0, 6), st.binary(max_size=4) | st.sampled_from([b"[" * 99, b'"', b"9" * 30])),
    )


_TOKEN = re.compile(
    rb'"(?:[^"\\]|\\.)*+"?|(?P<open>[\[{])|(?P<close>[\]}])|(?P<colon>:)|(?P<number>[0-9]{20,})', re.DOTALL
)


def look_slowly(body: bytes) -> tuple[int, int, bool]:
    """How many members a body has, how deep it nests, and whether it has a number that is too long: token by token."""
    depth = deepest = members = 0
    too_long = False
    for token in _TOKEN.finditer(body):
        depth += {"open": 1, "close": -1}.get(token.lastgroup or "", 0)
        deepest = max(deepest, depth)
        members += token.lastgroup == "colon"
        too_long |= token.lastgroup == "number"
    return members, deepest, too_long


@law
def test_a_body_is_looked_at_as_token_by_token(count: int) -> None:
    seen: set[tuple[bool, bool]] = set()

    def statement(parts: list[bytes]) -> None:
        body = b"".join(parts)
        members, deepest, too_long = look_slowly(body)
        refused = deepest > MAX_DEPTH or too_long
        seen.add((deepest > MAX_DEPTH, too_long))
        if refused:
            with pytest.raises(ProtocolFault):
                _check_bounds(body)
        else:
            assert _check_bounds(body) == members

    pieces = st.sampled_from(
        [b'"', b"\\", b'\\"', b":", b"[", b"{", b"]", b"}", b"[" * 40, b"{" * 65, b"]" * 40, b"1" * 19, b"2" * 20, b"a",
         b'"a": [', b"\n", b"\xff", b'"\\\\"']
    )  # fmt: skip
    run(count, statement, st.lists(pieces, max_size=30))
    assert seen == {(False, False), (True, False), (False, True), (True, True)}
