"""Hostile requests over a real connection: each is refused or answered, and the next caller is served as before.

By default every sixth is sent, `-m deep` the others. Nothing is timed here: how long others wait is measured by the
acceptance suite of the same name.
"""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.adversarial.cases import HELLO, Case, Expect, all_cases
from tests.adversarial.judging import find_faults, find_leaks
from tests.adversarial.server import DemoServer

PATIENCE_S = 60.0  # for a machine that has other things to do
MOST = 2_000_000  # bytes of an answer that are read
CASES = all_cases()


@dataclass(frozen=True)
class Told:
    """What came back: the statuses, the last body. No status: the connection was closed without a word."""

    statuses: list[int]
    body: bytes

    @property
    def content(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def send(demo: DemoServer, sent: bytes, *, half_close: bool = False) -> Told:
    """Sends bytes and reads until the server closes."""
    told = b""
    with socket.create_connection(("127.0.0.1", demo.port), timeout=PATIENCE_S) as connection:
        try:
            connection.sendall(sent)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused in the middle
        try:
            while len(told) < MOST and (part := connection.recv(65536)):
                told += part
                if _is_whole(told):
                    break
        except ConnectionError:
            pass
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", told) if status != b"100"]
    return Told(statuses, told.rpartition(b"\r\n\r\n")[2])


def _is_whole(told: bytes) -> bool:
    """Whether one answer has come to the end that its length announces, from a server that goes on listening."""
    head, _, body = told.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    closing = b"connection: close" in head.lower()
    return length is not None and not closing and len(body) == int(length[1]) and b"HTTP/1.1 100" not in head


# ---------------------------------------------------------------------- judging


def has_data(content: Any) -> bool:
    """Whether anything was found."""
    if isinstance(content, dict):
        return any(has_data(value) for value in content.values())
    if isinstance(content, list):
        return any(has_data(value) for value in content)
    return content is not None and content != 0


def judge(case: Case, told: Told, sent: str) -> Iterator[str]:
    """What is wrong with an answer."""
    for status in told.statuses:
        if status >= 500 and status not in {501, 503}:
            yield f"an accident: {status}"
    if len(told.statuses) > case.most_answers:
        yield f"{len(told.statuses)} answers"
    text = told.body.decode("utf-8", "replace")
    yield from (f"a word of the inside: {leak}" for leak in sorted(find_leaks(text, sent)))
    content = told.content
    if case.is_graphql and isinstance(content, dict):
        yield from find_faults(content, sent)
    if len(text) > 20_000 and case.expect is not Expect.ANSWERED and case.is_graphql:
        yield f"{len(text)} bytes told to who is refused"
    status = told.statuses[0] if told.statuses else None
    data = content.get("data") if isinstance(content, dict) else None
    refused = (
        status is None
        or status in range(400, 500)
        or status in {501, 503}
        or (bool((content or {}).get("errors")) and not data)
    )
    if case.expect is Expect.REFUSED and not refused:
        yield f"not refused: {status} {text[:200]}"
    if case.expect is Expect.NOBODY and not refused and has_data(data):
        yield f"found: {text[:200]}"
    if case.expect is Expect.ANSWERED and not (status == 200 and data and "errors" not in content):
        yield f"not answered: {status} {text[:200]}"


# ---------------------------------------------------------------------- the cases


@pytest.fixture(scope="session")
def known(demo: DemoServer) -> dict[str, str]:
    """What the cases name."""
    query = """{
      user(ref: {userName: "ana"}) { id }
      users(first: 1) { pageInfo { endCursor } } roles(first: 1) { pageInfo { endCursor } }
      teams(first: 1) { edges { node { id } } }
    }"""
    headers = {"authorization": f"Bearer {demo.tokens['owner']}"}
    data = httpx.post(demo.url, json={"query": query}, headers=headers).json()["data"]
    user, roles = data["user"]["id"], data["roles"]["pageInfo"]["endCursor"]
    return {
        "USER": user, "USER_TAIL": user.partition("_")[2], "USER_CUT": user[:-1],
        "USERS_CURSOR": data["users"]["pageInfo"]["endCursor"], "ROLES_CURSOR": roles, "ROLES_CUT": roles[:-2],
        "TEAM": data["teams"]["edges"][0]["node"]["id"],
    }  # fmt: skip


BYSTANDER = Case(name="somebody else", body=HELLO, caller="supervisor")


def check_that_others_are_served(demo: DemoServer) -> None:
    told = send(demo, BYSTANDER.write(demo.host, demo.tokens[BYSTANDER.caller], {}))
    assert (told.statuses, told.content["data"]) == ([200], {"__typename": "Query"})


EVERY = 6  # of so many cases one is tried by default: neighbours are alike


def parameters() -> list[Any]:
    names = [re.sub(r"[^\w .:,-]", "?", case.name, flags=re.ASCII) for case in CASES]
    deep = [case.long or number % EVERY > 0 for number, case in enumerate(CASES)]
    return [
        pytest.param(case, id=name, marks=[pytest.mark.deep] if is_deep else [])
        for case, name, is_deep in zip(CASES, names, deep, strict=True)
    ]


@pytest.mark.parametrize("case", parameters())
def test_a_hostile_request_is_no_accident(case: Case, demo: DemoServer, known: dict[str, str]) -> None:
    sent, logged = case.write(demo.host, demo.tokens[case.caller], known), demo.logged

    told = send(demo, sent, half_close=case.half_close)

    assert list(judge(case, told, sent.decode("utf-8", "replace"))) == []
    check_that_others_are_served(demo)
    assert demo.read_accidents(logged) == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://{host}.evil.example", "http://evil{host}"])
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_no_answer_allows_an_origin(method: str, origin: str, demo: DemoServer) -> None:
    """T21: nobody else's page reads what is answered."""
    headers = {"origin": origin.format(host=demo.host), "access-control-request-method": "POST",
               "access-control-request-headers": "authorization"}  # fmt: skip
    case = Case(name=origin, method=method, body=HELLO, headers=headers)

    with socket.create_connection(("127.0.0.1", demo.port), timeout=PATIENCE_S) as connection:
        connection.sendall(case.write(demo.host, demo.tokens["agent"], {}))
        told = connection.recv(65536)

    assert b"HTTP/1.1" in told
    assert b"access-control" not in told.lower()


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 300
