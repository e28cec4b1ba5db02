"""`POST /sync/{source}`: a feed of any length on its way to a plan."""

import asyncio
import contextlib
import gzip
import json
import os
import tempfile
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.domain.callers import Right
from app.services.sync import planning
from app.web import feeds
from app.web.protocol import ProtocolFault
from app.web.uploads import Upload
from tests.factories import Answer, Gateway, each_of
from tests.syncing import RUN, applied

CSV, LINES, YAML, JSON = "text/csv", "application/x-ndjson", "application/yaml", "application/json"
PEOPLE = (
    b'{"externalId": "e-dora", "userName": "dora", "roles": ["agents"]}\n{"externalId": "e-emil", "userName": "emil"}\n'
)
AS_CSV = b"externalId,userName,roles\ne-dora,dora,agents\ne-emil,emil,\n"
Message = dict[str, Any]


async def send(
    gateway: Gateway, body: bytes, kind: str = LINES, *, token: str | None = None, source: str = "hr",
    given: dict[str, str] | None = None, **headers: str,
) -> httpx.Response:  # fmt: skip
    """A feed by POST."""
    sent = {"authorization": f"Bearer {token or gateway.token}", "content-type": kind}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await gateway.client.post(f"/sync/{source}", content=body, params=given, headers=sent)


async def planned(gateway: Gateway, body: bytes = PEOPLE, kind: str = LINES, **more: Any) -> Answer:
    """The answer to a feed that is planned."""
    response = await send(gateway, body, kind, **more)
    answer: Answer = response.json()
    assert (response.status_code, answer["run"]["status"]) == (200, "PLANNED"), answer
    return answer


def fault_of(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and message of an answer that says no to the whole request."""
    answer = response.json()
    assert set(answer) == {"errors"}
    (error,) = answer["errors"]
    return response.status_code, error["extensions"]["code"], error["message"]


async def count_runs(gateway: Gateway) -> int:
    found: int = (await gateway.gql("{ syncRuns { totalCount } }"))["syncRuns"]["totalCount"]
    return found


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where feeds are kept while they come."""
    folder = tmp_path / "disk"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def uploads_on(disk: Path) -> int:
    """How many feeds are there, those that have no name any more included."""
    links = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{number}"))
    return sum(link.startswith(str(disk)) for link in links) + len(list(disk.iterdir()))


async def stream(
    gateway: Gateway, chunks: Iterable[bytes | Callable[[], Awaitable[object]]], *, over: bool = True,
    accept: str = JSON, headers: dict[str, str] | None = None,
) -> list[Message]:  # fmt: skip
    """What is sent to a client whose feed comes bit by bit; a bit that is a function is done instead. Not `over`: the
    client is gone after the last."""
    messages: list[Message] = []
    waiting = iter(chunks)
    told = {"authorization": f"Bearer {gateway.token}", "content-type": LINES, "accept": accept} | (headers or {})
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/sync/hr",
        "raw_path": b"/sync/hr", "root_path": "", "scheme": "http", "query_string": b"", "server": ("gateway", 80),
        "client": ("client", 1), "headers": [(name.encode(), value.encode()) for name, value in told.items()],
    }  # fmt: skip

    async def receive() -> Message:
        for chunk in waiting:
            if isinstance(chunk, bytes):
                return {"type": "http.request", "body": chunk, "more_body": True}
            await chunk()
        return {"type": "http.request", "body": b"", "more_body": False} if over else {"type": "http.disconnect"}

    async def take(message: Message) -> None:
        messages.append(message)

    transport = gateway.client._transport
    assert isinstance(transport, httpx.ASGITransport)
    await transport.app(scope, receive, take)  # type: ignore[arg-type]  # messages are dicts, as every server's
    return messages


def read_lines(messages: list[Message]) -> list[Answer]:
    assert messages[0]["status"] == 200
    assert dict(messages[0]["headers"])[b"content-type"] == LINES.encode()
    assert not messages[-1]["more_body"]
    return [json.loads(line) for line in b"".join(message["body"] for message in messages[1:]).splitlines()]


# ---------------------------------------------------------------------- what is planned


async def test_a_feed_is_planned_and_nothing_of_it_done(world: Gateway) -> None:
    head = await world.head()

    answer = await planned(world)

    run = answer["run"]
    assert (answer["errors"], answer["warnings"], answer["repeated"]) == ([], [], False)
    assert (run["source"], run["creates"], run["baseRevision"]) == ("hr", 3, head["revision"])
    assert await world.head() == head
    kept = await world.gql(f"query($id: ID!) {{ syncRun(id: $id) {{ {RUN} }} }}", {"id": run["id"]})
    assert kept["syncRun"] == run  # the same words as the schema's


async def test_it_is_applied_by_applySync(world: Gateway) -> None:  # noqa: N802  # the name of the mutation
    run = (await planned(world))["run"]

    await applied(world, run)

    found = await world.gql('{ user(ref: {externalId: "e-dora"}) { userName } }')
    assert found == {"user": {"userName": "dora"}}
    again = (await planned(world))["run"]
    assert (again["creates"], again["unchanged"]) == (0, 2)


@each_of(
    ("kind", "body"),
    [
        (CSV, AS_CSV),
        (f"{CSV}; charset=UTF-8", AS_CSV),
        ("application/jsonl", PEOPLE),
        (
            YAML,
            b"users: [{externalId: e-dora, userName: dora, roles: [agents]}, {externalId: e-emil, userName: emil}]",
        ),
        (JSON, json.dumps({"users": [json.loads(line) for line in PEOPLE.splitlines()]}).encode()),
    ],
)
async def test_every_format_says_the_same(world: Gateway, kind: str, body: bytes) -> None:
    assert (await planned(world, body, kind))["run"]["fingerprint"] == (await planned(world))["run"]["fingerprint"]


async def test_how_it_is_meant_stands_in_the_address(world: Gateway) -> None:
    given = {"mode": "PARTIAL", "takeOver": "true", "maxRemovals": "3"}

    run = (await planned(world, given=given, source="a%2Fb"))["run"]

    assert (run["source"], run["mode"], run["takeOver"], run["maxRemovals"]) == ("a/b", "PARTIAL", True, 3)


async def test_a_fault_names_the_line_and_what_would_mend_it(world: Gateway) -> None:
    body = PEOPLE + (
        b'{"role": {"key": "listeners", "grants": ["desk.reports.real_time"]}}\n'
        b'{"externalId": "e-fay", "userName": "fay", "roels": ["agents"]}\n'
    )

    answer = (await send(world, body)).json()

    assert (answer["run"]["status"], answer["run"]["refused"]) == ("REFUSED", 2)
    by_line = {error["path"][0]: error for error in answer["errors"]}
    assert by_line["line 3"] == {
        "code": "PREREQUISITE_NOT_MET", "message": "`Real time` needs `Reports menu`",
        "path": ["line 3", "grants", "0", "permission"], "permission": "desk.reports.real_time",
        "fixes": [["grant `desk.reports.menu = on`"]],
    }  # fmt: skip
    assert by_line["line 4"]["path"] == ["line 4", "roels"]
    assert "did you mean `roles`?" in by_line["line 4"]["message"]
    assert "`roles`" in by_line["line 4"]["expected"]


async def test_bytes_that_are_no_utf_8_are_a_fault_of_their_line(world: Gateway) -> None:
    answer = (await send(world, PEOPLE.replace(b'emil"}', b'em\xffil"}'))).json()

    assert answer["run"]["status"] == "REFUSED"
    assert [error["path"][0] for error in answer["errors"]] == ["line 2"] * len(answer["errors"])


async def test_an_empty_feed_lists_nobody(world: Gateway) -> None:
    assert (await planned(world, b""))["run"]["creates"] == 0
    await applied(world, (await planned(world))["run"])

    answer = (await send(world, b"")).json()

    assert answer["run"]["status"] == "REFUSED"
    assert [(error["code"], error["path"]) for error in answer["errors"]] == [("BRAKE", ["users"])]


# ---------------------------------------------------------------------- progress


async def test_progress_comes_line_by_line_and_the_answer_last(world: Gateway) -> None:
    response = await send(world, PEOPLE, accept=LINES)

    *progress, answer = [json.loads(line) for line in response.text.splitlines()]
    assert [told["progress"]["phase"] for told in progress] == ["reading", "comparing", "weighing", "keeping"]
    assert progress[0]["progress"]["total"] == len(PEOPLE)
    assert answer["run"]["creates"] == 3
    assert response.headers["content-type"] == LINES


async def test_progress_is_told_while_the_feed_still_comes(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "TICK_S", 0.01)

    async def wait() -> None:
        await asyncio.sleep(0.1)

    messages = await stream(world, [PEOPLE, wait], accept=LINES)

    first, *_, last = read_lines(messages)
    assert (first["progress"]["phase"], first["progress"]["bytes"]) == ("receiving", len(PEOPLE))
    assert last["run"]["creates"] == 3


async def test_there_is_a_word_every_now_and_then_while_nothing_changes(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "TICK_S", 0.01)
    plan = planning.plan_sync

    async def plan_slowly(*given: Any, progress: Callable[[planning.Phase], None], **more: Any) -> planning.SyncAnswer:
        progress(planning.Phase.WEIGHING)
        await asyncio.sleep(0.2)
        return await plan(*given, **more)

    monkeypatch.setattr(feeds, "plan_sync", plan_slowly)

    *progress, answer = read_lines(await stream(world, [PEOPLE], accept=LINES))

    assert [told["progress"]["phase"] for told in progress].count("weighing") > 2
    assert answer["run"]["status"] == "PLANNED"


async def test_one_long_feed_is_planned_after_another(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "LONG", 1)
    responses = await asyncio.gather(*(send(world, PEOPLE, accept=LINES, source=f"s{n}") for n in range(3)))

    answers = [[json.loads(line) for line in response.text.splitlines()] for response in responses]
    assert [answer[-1]["run"]["creates"] for answer in answers] == [3, 3, 3]
    assert [told["progress"]["phase"] for answer in answers for told in answer[:-1]].count("waiting") == 2


async def test_what_goes_wrong_once_lines_are_sent_stands_in_the_last(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "TICK_S", 0.01)
    monkeypatch.setattr(world.services, "max_feed", 1 << 21)

    async def wait() -> None:
        await asyncio.sleep(0.1)

    lines = read_lines(await stream(world, [PEOPLE, wait, b"x" * (1 << 21)], accept=LINES))

    assert (lines[-1]["status"], lines[-1]["errors"][0]["extensions"]["code"]) == (413, "BAD_REQUEST")
    assert await count_runs(world) == 0


# ---------------------------------------------------------------------- who may


async def nothing_is_read() -> None:
    raise AssertionError("the feed is read before it is known who sends it")


@each_of("authorization", ["", "Bearer nonsense", "Basic b2xnYTpvbGdh"])
async def test_who_is_unknown_is_told_so_before_a_byte_is_read(world: Gateway, authorization: str) -> None:
    messages = await stream(world, [nothing_is_read], headers={"authorization": authorization})

    assert messages[0]["status"] == 401
    assert dict(messages[0]["headers"])[b"www-authenticate"].startswith(b"Bearer")
    assert await count_runs(world) == 0


async def test_one_wrong_token_after_another_is_told_in_the_words_of_graphql(world: Gateway) -> None:
    world.services.failures.capacity, world.services.failures.refill = 1, 0.001

    told = [fault_of(await send(world, PEOPLE, token="nonsense"))[:2] for _ in range(2)]

    assert told == [(401, "UNAUTHENTICATED"), (429, "REQUEST_RATE_LIMITED")]


async def test_who_may_not_sync_is_told_so_before_a_byte_is_read(world: Gateway) -> None:
    here = await world.trust("cleo", Right.VIEW_SYNC, Right.RUN_SYNC, contract="C-1")
    _, nowhere = await world.issue_token("ana")

    for token in (here, nowhere):
        messages = await stream(world, [nothing_is_read], headers={"authorization": f"Bearer {token}"}, accept=LINES)

        assert messages[0]["status"] == 403
        (error,) = json.loads(messages[1]["body"])["errors"]
        assert error["extensions"] == {"code": "FORBIDDEN"}
        assert "`gateway.sync.run` held everywhere" in error["message"]
    assert await count_runs(world) == 0


async def test_guards_bound_what_a_source_may_do(world: Gateway) -> None:
    token = await world.trust("cleo", Right.VIEW_SYNC, Right.RUN_SYNC)

    answer = (await send(world, PEOPLE, token=token)).json()

    assert answer["run"]["status"] == "REFUSED"
    assert {error["code"] for error in answer["errors"]} == {"NOT_FOUND", "NOT_PERMITTED"}


async def test_a_token_that_ends_while_the_feed_comes_plans_nothing(world: Gateway) -> None:
    token, secret = await world.issue_token("olga")

    async def revoke() -> None:
        await world.mutate("revokeToken", {"id": token}, "id")

    messages = await stream(world, [PEOPLE, revoke], headers={"authorization": f"Bearer {secret}"})

    assert messages[0]["status"] == 401
    assert await count_runs(world) == 0


# ---------------------------------------------------------------------- the request


@each_of("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_it_takes_post_alone(world: Gateway, method: str) -> None:
    response = await world.client.request(method, "/sync/hr", headers={"authorization": f"Bearer {world.token}"})

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


@each_of(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": ""},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": f"{CSV}; charset=iso-8859-1"},
        {"content-type": CSV, "content-encoding": "br"},
        {"content-type": CSV, "content-encoding": "gzip, gzip"},
    ],
)
async def test_other_media_types_are_not_taken(world: Gateway, headers: dict[str, str]) -> None:
    messages = await stream(world, [nothing_is_read], headers=headers)

    assert messages[0]["status"] == 415


@each_of(
    ("query", "words"),
    [
        ("mode=PARTLY", "`mode` must be ATOMIC or PARTIAL"),
        ("takeOver=yes", "`takeOver` must be true or false"),
        ("resume=1", "`resume` must be true or false"),
        ("maxRemovals=-1", "`maxRemovals` must be a whole number, 0 or more"),
        ("maxRemovals=", "`maxRemovals` must be a whole number, 0 or more"),
        ("maxRemovals=1&maxRemovals=2", "`maxRemovals` is given twice"),
        ("maxRemoval=1", "there is no parameter `maxRemoval`: known are mode, takeOver, maxRemovals, resume"),
    ],
)
async def test_what_is_misspelt_in_the_address_is_not_passed_over(world: Gateway, query: str, words: str) -> None:
    response = await world.client.post(
        f"/sync/hr?{query}", content=PEOPLE, headers={"authorization": f"Bearer {world.token}", "content-type": LINES}
    )

    assert fault_of(response) == (400, "BAD_REQUEST", words)
    assert await count_runs(world) == 0


async def test_what_people_do_by_hand_is_no_source(world: Gateway) -> None:
    response = await send(world, PEOPLE, source="manual")

    assert response.status_code == 422
    answer = response.json()
    assert (answer["run"], answer["warnings"], answer["repeated"]) == (None, [], False)
    assert [(error["code"], error["path"]) for error in answer["errors"]] == [("INVALID_VALUE", ["source"])]
    assert await count_runs(world) == 0


async def test_what_fails_inside_stays_inside(world: Gateway, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_given: Any, **_more: Any) -> planning.SyncAnswer:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(feeds, "plan_sync", fail)

    status, code, message = fault_of(await send(world, PEOPLE))

    assert (status, code) == (500, "INTERNAL_SERVER_ERROR")
    assert "hunter2" not in message
    assert uploads_on(disk) == 0


# ---------------------------------------------------------------------- how much


async def test_a_feed_that_says_to_be_too_long_is_not_read(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.services, "max_feed", 1000)

    messages = await stream(world, [nothing_is_read], headers={"content-length": "1001"})

    assert messages[0]["status"] == 413


@each_of("headers", [{}, {"content-encoding": "gzip"}])
async def test_a_feed_that_becomes_too_long_is_left_off(
    world: Gateway, disk: Path, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setattr(world.services, "max_feed", 1 << 21)
    body = b"\n" * ((1 << 21) + 1)

    messages = await stream(world, [gzip.compress(body) if headers else body], headers=headers)

    assert messages[0]["status"] == 413
    assert await count_runs(world) == 0
    assert uploads_on(disk) == 0


async def test_a_feed_that_stands_still_is_given_up(
    world: Gateway, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "IDLE_S", 0.05)

    messages = await stream(world, [PEOPLE, asyncio.Event().wait])

    assert messages[0]["status"] == 408
    assert (await count_runs(world), uploads_on(disk)) == (0, 0)


@each_of("accept", [JSON, LINES])
async def test_a_client_that_is_gone_leaves_nothing(world: Gateway, disk: Path, accept: str) -> None:
    await stream(world, [PEOPLE, b"x" * (1 << 21)], over=False, accept=accept)

    assert (await count_runs(world), uploads_on(disk)) == (0, 0)


async def test_a_feed_of_any_length_is_held_on_disk() -> None:
    part, parts = b'{"externalId": "e-1", "userName": "x"}\n' * 1700, 500
    tracemalloc.start()
    try:
        with Upload(1 << 30, packed=False) as upload:
            for _ in range(parts):
                await upload.take(part)
            await upload.finish()
            assert (upload.size, upload.lines) == (parts * len(part), parts * 1700)
            assert sum(len(piece) for piece in upload) == sum(len(piece) for piece in upload) == upload.size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < upload.size / 4


async def test_no_room_on_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, _part: object) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            return

    monkeypatch.setattr("app.web.uploads.TemporaryFile", lambda **_given: Full())
    with Upload(1 << 30, packed=False) as upload:
        await upload.take(PEOPLE)
        with pytest.raises(ProtocolFault) as caught:
            await upload.finish()
    assert caught.value.status == 507


# ---------------------------------------------------------------------- gzip


async def test_a_packed_feed_is_the_same_feed(world: Gateway) -> None:
    plain = (await planned(world))["run"]["fingerprint"]
    halves = gzip.compress(PEOPLE[:40]) + gzip.compress(PEOPLE[40:])  # as `cat a.gz b.gz` makes it

    for packed in (gzip.compress(PEOPLE), halves):
        assert (await planned(world, packed, content_encoding="gzip"))["run"]["fingerprint"] == plain


@each_of(
    "packed", [b"", b"no gzip", gzip.compress(PEOPLE)[:-1], gzip.compress(PEOPLE)[:20], gzip.compress(PEOPLE) + b"x"]
)
async def test_what_is_not_packed_whole_is_refused(world: Gateway, packed: bytes) -> None:
    response = await send(world, packed, content_encoding="gzip")

    assert fault_of(response)[:2] == (400, "BAD_REQUEST")
    assert await count_runs(world) == 0


async def test_what_is_packed_in_pieces_without_end_is_refused(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.uploads.MAX_MEMBERS", 3)
    piece = gzip.compress(b"")

    response = await send(world, gzip.compress(PEOPLE) + piece * 3, content_encoding="gzip")
    taken = await planned(world, gzip.compress(PEOPLE) + piece * 2, content_encoding="gzip")

    assert fault_of(response)[:2] == (400, "BAD_REQUEST")
    assert taken["run"]["creates"] > 0


# ---------------------------------------------------------------------- idempotency keys


async def test_the_same_under_the_same_key_gives_the_first_plan_again(world: Gateway) -> None:
    first = await planned(world, idempotency_key="night of the first")

    again = await planned(world, idempotency_key='"night of the first"', content_encoding="identity")

    assert again == {**first, "repeated": True}
    assert await count_runs(world) == 1


@each_of(
    "other",
    [
        {"body": PEOPLE + b"\n"},
        {"given": {"mode": "PARTIAL"}},
        {"given": {"maxRemovals": "7"}},
        {"given": {"takeOver": "true"}},
        {"source": "sales"},
        {"kind": "application/json"},
    ],
)
async def test_anything_else_under_the_same_key_is_refused(world: Gateway, other: dict[str, Any]) -> None:
    await planned(world, idempotency_key="k")

    response = await send(world, **{"body": PEOPLE, **other}, idempotency_key="k")

    assert response.status_code == 422
    answer = response.json()
    assert (answer["run"], answer["errors"][0]["code"]) == (None, "IDEMPOTENCY_MISMATCH")
    assert await count_runs(world) == 1


async def test_a_key_is_its_callers(world: Gateway) -> None:
    token = await world.trust("cleo", Right.RUN_SYNC, Right.VIEW_SYNC)
    await planned(world, idempotency_key="k")

    answer = (await send(world, AS_CSV, CSV, token=token, idempotency_key="k")).json()

    assert answer["repeated"] is False
    assert await count_runs(world) == 2


async def test_two_at_once_under_one_key_are_one(world: Gateway) -> None:
    answers = await asyncio.gather(*(planned(world, idempotency_key="k") for _ in range(3)))

    assert len({answer["run"]["id"] for answer in answers}) == 1
    assert await count_runs(world) == 1


async def test_an_applied_plan_is_given_again_but_not_resumed(world: Gateway) -> None:
    first = (await planned(world, idempotency_key="k"))["run"]
    assert (await planned(world, idempotency_key="k", given={"resume": "true"}))["run"] == first
    await applied(world, first)

    again = (await send(world, PEOPLE, idempotency_key="k")).json()
    assert (again["run"]["id"], again["run"]["status"]) == (first["id"], "APPLIED")

    anew = await planned(world, idempotency_key="k", given={"resume": "true"})
    assert (anew["repeated"], anew["run"]["creates"], anew["run"]["unchanged"]) == (False, 0, 2)
    later = (await send(world, PEOPLE, idempotency_key="k")).json()
    assert later["run"]["id"] == anew["run"]["id"]  # what the key stands for now


async def test_a_plan_that_has_gone_stale_is_made_anew_where_that_is_asked(world: Gateway) -> None:
    first = (await planned(world, idempotency_key="k"))["run"]
    await world.create_user("dora")
    stale = await world.gql(
        "mutation($input: ApplySyncInput!) { applySync(input: $input) { run { status } errors { code } } }",
        {"input": {"plan": first["id"], "fingerprint": first["fingerprint"]}},
    )
    assert stale["applySync"]["errors"] == [{"code": "STALE_PLAN"}]

    assert (await send(world, PEOPLE, idempotency_key="k")).json()["run"]["status"] == "STALE"
    anew = (await send(world, PEOPLE, idempotency_key="k", given={"resume": "true"})).json()
    assert (anew["repeated"], anew["run"]["id"] == first["id"]) == (False, False)


async def test_two_who_apply_one_plan_do_so_once(world: Gateway) -> None:
    run = (await planned(world))["run"]
    before = await world.revision()

    done = await asyncio.gather(*(applied(world, run) for _ in range(3)))

    assert {one["revision"] for one in done} == {str(before + 1)}
    assert await world.revision() == before + 1
