"""GraphQL over HTTP: methods, media types, bodies, statuses. The draft's MUSTs, and what its public audits expect."""

import asyncio
import json
from typing import Any

import httpx

from tests.factories import FIRST_REVISION, Gateway, each_of, without_cost

JSON, GRAPHQL = "application/json", "application/graphql-response+json"
OK = {"data": {"revision": str(FIRST_REVISION)}, "extensions": {"revision": str(FIRST_REVISION)}}
QUERY = {"query": "{ revision }"}


async def send(
    gateway: Gateway,
    method: str = "POST",
    body: bytes | None = None,
    query: dict[str, str] | None = None,
    **headers: str,
) -> httpx.Response:
    """A request as it is given, with a good token and, for a body, its media type."""
    sent = {"authorization": f"Bearer {gateway.token}"}
    if body is not None:
        sent["content-type"] = JSON
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await gateway.client.request(method, "/graphql", content=body, params=query, headers=sent)


def fault_of(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and message of an answer that says no to the whole request."""
    answer = response.json()
    assert set(answer) == {"errors"}
    (error,) = answer["errors"]
    assert set(error) == {"message", "extensions"}
    return response.status_code, error["extensions"]["code"], error["message"]


# ---------------------------------------------------------------------- what is answered


async def test_a_post_is_answered(gateway: Gateway) -> None:
    response = await send(gateway, body=json.dumps(QUERY).encode())

    assert (response.status_code, without_cost(response.json())) == (200, OK)
    assert response.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["vary"] == "accept"


async def test_a_get_is_answered(gateway: Gateway) -> None:
    document = "query A($n: String!) { user(ref: {userName: $n}) { userName } } query B { revision }"

    response = await send(
        gateway,
        "GET",
        query={"query": document, "variables": '{"n": "olga"}', "operationName": "A", "extensions": "{}"},
    )

    assert response.status_code == 200
    assert response.json()["data"] == {"user": {"userName": "olga"}}


async def test_answers_are_utf_8(gateway: Gateway) -> None:
    await gateway.create_user("\u00e9va\U0001f600")

    response = await send(
        gateway, body='{"query": "{ user(ref: {userName: \\"\u00e9va\U0001f600\\"}) { userName } }"}'.encode()
    )

    assert '"\u00e9va\U0001f600"'.encode() in response.content


@each_of("name", ["variables", "operationName", "extensions"])
async def test_null_is_as_left_out(gateway: Gateway, name: str) -> None:
    response = await send(gateway, body=json.dumps({**QUERY, name: None}).encode())

    assert (response.status_code, without_cost(response.json())) == (200, OK)


async def test_what_the_draft_does_not_name_is_left_alone(gateway: Gateway) -> None:
    response = await send(gateway, body=json.dumps({**QUERY, "id": "x", "doc_id": 1}).encode())

    assert (response.status_code, without_cost(response.json())) == (200, OK)


# ---------------------------------------------------------------------- media types


@each_of(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (GRAPHQL.upper(), GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{JSON};q=0.9, {GRAPHQL}", GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.9", JSON),
        (f"{GRAPHQL};q=0.1, {JSON};q=0.2", JSON),
        (f"{GRAPHQL} ; q=0.5 , {JSON} ; q=0.4", GRAPHQL),
        (f"text/html, {GRAPHQL};q=0.3, */*;q=0.1", GRAPHQL),
        ("text/html, */*;q=0.1", JSON),
        (f"{GRAPHQL};q=0, {JSON}", JSON),
        (f"{JSON};q=0, {GRAPHQL};q=0.001", GRAPHQL),
        (f"text/event-stream, {JSON}", JSON),
    ],
)
async def test_the_best_that_both_know_is_answered(gateway: Gateway, accept: str, media_type: str) -> None:
    response = await send(gateway, body=json.dumps(QUERY).encode(), accept=accept)

    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert without_cost(response.json()) == OK


@each_of(
    ("accept", "media_type"),
    [(f"{JSON};q=0, */*", GRAPHQL), (f"*/*, {JSON};q=0", GRAPHQL), (f"{GRAPHQL};q=0, */*", JSON)],
)
async def test_what_is_refused_by_name_is_not_let_in_by_a_wildcard(
    gateway: Gateway, accept: str, media_type: str
) -> None:
    """RFC 9110, 12.5.1: the most specific range decides."""
    response = await send(gateway, body=json.dumps(QUERY).encode(), accept=accept)

    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"


@each_of("accept", ["text/html", "application/xml", f"{JSON};q=0", "*/*;q=0", "text/*", "nonsense", ";", ","])
async def test_nothing_that_both_know_is_406(gateway: Gateway, accept: str) -> None:
    response = await send(gateway, body=json.dumps(QUERY).encode(), accept=accept)

    assert fault_of(response) == (406, "BAD_REQUEST", f"answers are {GRAPHQL} or {JSON}")


@each_of(
    ("content_type", "status"),
    [
        (JSON, 200),
        ("Application/JSON", 200),
        (f"{JSON}; charset=utf-8", 200),
        (f'{JSON}; charset="UTF-8"', 200),
        (f"{JSON};charset=utf8", 200),
        (f"{JSON}; charset=latin-1", 415),
        (f"{JSON}; charset=utf-16", 415),
        ("", 415),
        ("text/plain", 415),
        ("application/graphql", 415),
        (GRAPHQL, 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
    ],
)
async def test_bodies_are_json_in_utf_8(gateway: Gateway, content_type: str, status: int) -> None:
    response = await send(gateway, body=json.dumps(QUERY).encode(), content_type=content_type)

    assert response.status_code == status
    if status == 415:
        assert fault_of(response)[1] == "BAD_REQUEST"


@each_of("encoding", ["gzip", "br", "deflate", "identity, gzip"])
async def test_compressed_bodies_are_refused(gateway: Gateway, encoding: str) -> None:
    response = await send(gateway, body=b"\x1f\x8b", content_encoding=encoding)

    assert fault_of(response) == (415, "BAD_REQUEST", "send the request uncompressed")


# ---------------------------------------------------------------------- methods


@each_of("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_405(gateway: Gateway, method: str) -> None:
    response = await send(gateway, method)

    assert fault_of(response) == (405, "BAD_REQUEST", "use GET or POST")
    assert response.headers["allow"] == "GET, POST"


async def test_head_is_405_without_a_body(gateway: Gateway) -> None:
    response = await send(gateway, "HEAD")

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"


@each_of("accept", [JSON, GRAPHQL])
async def test_a_mutation_by_get_is_405_and_does_nothing(gateway: Gateway, accept: str) -> None:
    query = {"query": 'mutation { createUser(input: {userName: "ana"}) { revision } }'}

    async with gateway.unchanged():
        response = await send(gateway, "GET", query=query, accept=accept)

    assert fault_of(response) == (405, "BAD_REQUEST", "a mutation cannot be asked this way")
    assert response.headers["allow"] == "POST"


async def test_a_mutation_that_is_not_chosen_does_not_hinder_a_get(gateway: Gateway) -> None:
    document = 'query A { revision } mutation B { createUser(input: {userName: "ana"}) { revision } }'

    response = await send(gateway, "GET", query={"query": document, "operationName": "A"})

    assert response.status_code == 200


# ---------------------------------------------------------------------- bodies

BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "the body is not JSON in UTF-8"),
    "no JSON": (b"{", "the body is not JSON in UTF-8"),
    "two values": (b"{}{}", "the body is not JSON in UTF-8"),
    "a comment": (b'{"query": "{ revision }"} // hi', "the body is not JSON in UTF-8"),
    "not a number": (b'{"query": NaN}', "the body is not JSON in UTF-8"),
    "not UTF-8": (b'{"query": "{ revision } # \xff"}', "the body is not JSON in UTF-8"),
    "half a character": (b'{"query": "{ revision } # \\ud800"}', "the body is not JSON in UTF-8"),
    "UTF-16": ('{"query": "{ revision }"}'.encode("utf-16"), "the body is not JSON in UTF-8"),
    "a list": (b'[{"query": "{ revision }"}]', "one request at a time: the body is a list"),
    "a text": (b'"{ revision }"', "the body is not a JSON object"),
    "null": (b"null", "the body is not a JSON object"),
    "no query": (b"{}", "`query` must be a text: the GraphQL document"),
    "an empty query": (b'{"query": "  "}', "`query` must be a text: the GraphQL document"),
    "a query that is no text": (b'{"query": {"a": 1}}', "`query` must be a text: the GraphQL document"),
    "a query that is null": (b'{"query": null}', "`query` must be a text: the GraphQL document"),
    "variables that are a text": (b'{"query": "{ revision }", "variables": "{}"}', "`variables` must be an object"),
    "variables that are a list": (b'{"query": "{ revision }", "variables": []}', "`variables` must be an object"),
    "variables that are a number": (b'{"query": "{ revision }", "variables": 0}', "`variables` must be an object"),
    "variables that are false": (b'{"query": "{ revision }", "variables": false}', "`variables` must be an object"),
    "a name that is no text": (b'{"query": "{ revision }", "operationName": 1}', "`operationName` must be a text"),
    "extensions that are a list": (b'{"query": "{ revision }", "extensions": []}', "`extensions` must be an object"),
    "nested too deeply": (
        b'{"query": "{ revision }", "variables": {"a": ' + b"[" * 70 + b"]" * 70 + b"}}",
        "the body is nested deeper than 64 levels",
    ),
    "nested beyond all measure": (b"[" * 100_000, "the body is nested deeper than 64 levels"),
    "a number beyond all measure": (
        b'{"query": "{ revision }", "variables": {"a": ' + b"9" * 5000 + b"}}",
        "the body has a number of more digits than any that is taken",
    ),
}


@each_of(("body", "message"), BAD_BODIES.values())
async def test_a_body_that_is_no_request_is_400(gateway: Gateway, body: bytes, message: str) -> None:
    for accept in (JSON, GRAPHQL):
        response = await send(gateway, body=body, accept=accept)
        assert fault_of(response) == (400, "BAD_REQUEST", message)
        assert response.headers["content-type"] == f"{accept}; charset=utf-8"


@each_of(
    "text", ["[" * 100, "{" * 100, '"' + "[" * 100, "\\\\" * 100, "9" * 19, "00" * 9, "-" * 30, "1.5e300", "a" * 20_000]
)
async def test_what_stands_within_a_text_is_no_matter(gateway: Gateway, text: str) -> None:
    response = await send(gateway, body=json.dumps({**QUERY, "variables": {"x": text}}).encode())

    assert (response.status_code, without_cost(response.json())) == (200, OK)


async def test_digits_within_a_text_are_no_number(gateway: Gateway) -> None:
    """Ids of ours and of others hold more than twenty digits in a row."""
    response = await send(gateway, body=json.dumps({**QUERY, "variables": {"x": "0" * 30}}).encode())

    assert (response.status_code, without_cost(response.json())) == (200, OK)


async def test_a_text_that_does_not_end_is_read_once(gateway: Gateway) -> None:
    """Every quote of it could begin the text anew: read so, half a megabyte takes hours."""
    body = b'{"query": "' + b'\\"' * 250_000

    response = await asyncio.wait_for(send(gateway, body=body), 5)

    assert fault_of(response) == (400, "BAD_REQUEST", "the body is not JSON in UTF-8")


async def test_numbers_of_a_query_string_are_looked_at_too(gateway: Gateway) -> None:
    response = await send(gateway, "GET", query={**QUERY, "variables": '{"a": ' + "9" * 30 + "}"})

    assert fault_of(response)[0] == 400


async def test_a_megabyte_and_no_more(gateway: Gateway) -> None:
    frame = len(json.dumps({**QUERY, "variables": {"x": ""}}))
    largest = json.dumps({**QUERY, "variables": {"x": "y" * (1024 * 1024 - frame)}}).encode()
    assert len(largest) == 1024 * 1024

    assert (await send(gateway, body=largest)).status_code == 200
    response = await send(gateway, body=largest + b" ")
    assert fault_of(response) == (413, "BAD_REQUEST", "a request has at most 1048576 bytes")
    assert response.headers["connection"] == "close"


async def test_a_megabyte_is_counted_not_believed(gateway: Gateway) -> None:
    """A body that comes in pieces and says nothing of its length is cut off as well."""

    async def pieces() -> Any:
        for _ in range(40):
            yield b" " * 100_000

    response = await gateway.client.post(
        "/graphql", content=pieces(), headers={"authorization": f"Bearer {gateway.token}", "content-type": JSON}
    )

    assert fault_of(response)[0] == 413


@each_of(
    ("query", "message"),
    [
        ({}, "`query` must be a text: the GraphQL document"),
        ({"query": ""}, "`query` must be a text: the GraphQL document"),
        ({"query": "{ revision }", "variables": "{"}, "`variables` is not JSON"),
        ({"query": "{ revision }", "variables": "[]"}, "`variables` must be an object"),
        ({"query": "{ revision }", "variables": "1"}, "`variables` must be an object"),
        ({"query": "{ revision }", "extensions": "x"}, "`extensions` is not JSON"),
        ({**QUERY, "variables": "[" * 70 + "]" * 70}, "the body is nested deeper than 64 levels"),
    ],
)  # fmt: skip
async def test_a_query_string_that_is_no_request_is_400(gateway: Gateway, query: dict[str, str], message: str) -> None:
    assert fault_of(await send(gateway, "GET", query=query)) == (400, "BAD_REQUEST", message)


@each_of("name", ["variables", "operationName", "extensions"])
async def test_an_empty_parameter_is_as_left_out(gateway: Gateway, name: str) -> None:
    response = await send(gateway, "GET", query={**QUERY, name: ""})

    assert (response.status_code, without_cost(response.json())) == (200, OK)


# ---------------------------------------------------------------------- statuses of documents

DOCUMENTS = {
    "does not parse": ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
    "does not fit the schema": ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
    "names no operation": ({"query": "query A { revision } query B { revision }"}, "OPERATION_RESOLUTION_FAILURE"),
    "lacks a variable": ({"query": "query ($x: ID!) { node(id: $x) { id } }"}, "BAD_USER_INPUT"),
}


@each_of(("body", "code"), DOCUMENTS.values())
async def test_a_document_that_cannot_be_run_is_400_or_for_older_clients_200(
    gateway: Gateway, body: dict[str, Any], code: str
) -> None:
    strict = await send(gateway, body=json.dumps(body).encode(), accept=GRAPHQL)
    older = await send(gateway, body=json.dumps(body).encode(), accept=JSON)
    by_get = await send(gateway, "GET", query=body, accept=GRAPHQL)

    assert (strict.status_code, older.status_code, by_get.status_code) == (400, 200, 400)
    for response in (strict, older, by_get):
        assert set(response.json()) == {"errors"}
        assert {error["extensions"]["code"] for error in response.json()["errors"]} == {code}


@each_of("accept", [JSON, GRAPHQL])
async def test_an_answer_with_data_is_200_whatever_its_errors(gateway: Gateway, accept: str) -> None:
    body = {"query": "{ revision users(first: 101) { totalCount } }"}

    response = await send(gateway, body=json.dumps(body).encode(), accept=accept)

    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["errors", "data", "extensions"]
    assert answer["data"] is None
    (error,) = answer["errors"]
    assert error == {
        "message": "`first` must be between 0 and 100: page through the list",
        "locations": [{"line": 1, "column": 12}],
        "path": ["users"],
        "extensions": {"code": "BAD_USER_INPUT"},
    }


async def test_the_token_is_looked_at_before_the_body(gateway: Gateway) -> None:
    response = await gateway.client.post("/graphql", content=b"{", headers={"content-type": JSON})

    assert response.status_code == 401


async def test_other_addresses_are_404(gateway: Gateway) -> None:
    for path in ("/", "/graphql/", "/graphql/x", "/GraphQL", "/docs", "/openapi.json"):
        response = await gateway.client.get(path, follow_redirects=False)
        assert response.status_code == 404, path
        assert "Traceback" not in response.text
