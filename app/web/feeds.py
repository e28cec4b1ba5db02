"""`POST /sync/{source}`: a feed of any length on its way to a plan, kept on disk meanwhile.

Who sends it is known, and may, before a byte of it is read. The answer is one JSON object, or, for whoever asks for
JSON Lines, progress line by line and that object at the end. Plans are applied by `applySync`.
"""

import asyncio
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from hashlib import sha256
from time import monotonic
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.catalogs.feeds import FeedFormat
from app.domain.callers import Caller
from app.domain.errors import DomainError, ErrorCode, Refused
from app.domain.outages import Outage
from app.domain.sync.desired import SyncMode
from app.graphql.costs import REQUEST, weigh
from app.graphql.faults import FaultCode
from app.services.context import Services
from app.services.sync.feeds import Feed
from app.services.sync.planning import (
    Phase,
    PlanOptions,
    SyncAnswer,
    authorise_plan,
    fingerprint_feed,
    plan_sync,
)
from app.services.writing import IdempotencyKey
from app.telemetry import log
from app.web.admission import Admission, Held
from app.web.authentication import authenticate_request
from app.web.outages import write_outage
from app.web.protocol import CODES, JSON, ProtocolFault, write_answer, write_fault
from app.web.sync_answers import show_answer, show_refusals
from app.web.uploads import Upload

JSON_LINES = "application/x-ndjson"
PARAMETERS = ("mode", "takeOver", "maxRemovals", "resume")
TICK_S = 1.0  # between two words of how far it is: often enough for a bar, and for a proxy that cuts what is silent
IDLE_S = 60.0  # without a byte of the feed, after which it is given up
COST = REQUEST + weigh("Mutation.planSync")  # in units, before a byte has come
BYTES_A_UNIT = 1024  # of a feed, beside that: a long one would use up more, but those are worked out one by one
_MEDIA_TYPES = "application/x-ndjson, application/jsonl, text/csv, application/yaml or application/json"


class _Turned(Exception):
    """A request that is refused as a whole: `response` says why."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__(response.status_code)


@dataclass(kw_only=True)
class _Job:
    """A feed under way. `notes` are waiting to be told; the upload knows how far it has come."""

    caller: Caller
    format: FeedFormat
    options: PlanOptions
    key: str | None
    upload: Upload
    phase: str = "receiving"
    since: float = field(default_factory=monotonic)
    notes: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    def enter(self, phase: str) -> None:
        self.phase, self.since = phase, monotonic()
        self.notes.put_nowait(self.describe())

    def describe(self) -> dict[str, Any]:
        """How far it is."""
        told: dict[str, Any] = {"phase": self.phase, "seconds": round(monotonic() - self.since, 1)}
        if self.phase == "receiving":
            told |= {"bytes": self.upload.received, "lines": self.upload.lines}
        elif self.phase == Phase.READING:
            told |= {"bytes": self.upload.read, "total": self.upload.size}
        return {"progress": told}


class FeedEndpoint:
    """`/sync/{source}`, for POST alone."""

    def __init__(self, services: Services, admission: Admission) -> None:
        self.services = services
        self.admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        async with AsyncExitStack() as left_behind:
            try:
                job = await self._begin(request, left_behind)
                told = _Told(send, in_lines=_wants_lines(request))
                response = await self._work(request, job, told)
            except _Turned as turned:
                response = turned.response
        if response is not None:
            await response(scope, receive, send)

    # ------------------------------------------------------------------ before a byte is read

    async def _begin(self, request: Request, left_behind: AsyncExitStack) -> _Job:
        """Everything that can be said no to by the head of the request alone."""
        async with _turning():
            if request.method != "POST":
                raise ProtocolFault(405, "use POST", {"allow": "POST"})
            caller = await authenticate_request(self.services, request)
            self.admission.pay(caller, COST)
            feed_format, packed = _read_media_type(request)
            options = _read_options(request)
            key = _read_key(request)
            await authorise_plan(self.services, caller, options)
            limit = self.services.max_feed
            if int(request.headers.get("content-length", "0")) > limit:
                raise ProtocolFault(413, f"a feed has at most {limit} bytes", {"connection": "close"})
            await left_behind.enter_async_context(self.admission.take_upload(caller))
            upload = left_behind.enter_context(Upload(limit, packed=packed))
            return _Job(caller=caller, format=feed_format, options=options, key=key, upload=upload)

    # ------------------------------------------------------------------ the feed

    async def _work(self, request: Request, job: _Job, told: "_Told") -> Response | None:
        """The answer, or None where all of it has been told line by line."""
        work = asyncio.create_task(self._plan(request, job))
        try:
            while not work.done():
                note = asyncio.create_task(job.notes.get())
                await asyncio.wait({work, note}, timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
                if note.done():
                    await told.tell(note.result(), at_once=False)
                else:
                    note.cancel()
                    if not work.done():
                        await told.tell(job.describe(), at_once=True)
            while not job.notes.empty():
                await told.tell(job.notes.get_nowait(), at_once=False)
            return await told.end(await work)
        except _Turned as turned:
            return await told.turn(turned.response)
        except ClientDisconnect:
            return None if told.has_begun else Response(status_code=400)
        finally:
            work.cancel()

    async def _plan(self, request: Request, job: _Job) -> dict[str, Any]:
        async with _turning():
            await self._receive(request, job.upload)
            self.admission.charge(job.caller, job.upload.size // BYTES_A_UNIT)
            caller = await authenticate_request(self.services, request)  # it may have taken hours
            feed, options = Feed(job.format, job.upload, job.upload.size), job.options
            if job.key is not None:
                fingerprint = await asyncio.to_thread(fingerprint_feed, feed, options)
                options = replace(options, idempotency=IdempotencyKey(job.key, fingerprint))
            job.upload.read = 0
            answer = await plan_sync(
                self.services, caller, feed, options=options, progress=lambda phase: job.enter(phase.value)
            )
            if answer.run is None:
                raise Refused(answer.errors)
            return await show_answer(self.services, caller, answer)

    async def _receive(self, request: Request, upload: Upload) -> None:
        chunks = request.stream()
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                message = f"nothing of the feed came for {IDLE_S:.0f} seconds"
                raise ProtocolFault(408, message, {"connection": "close"}) from None
            if chunk is None:
                break
            await upload.take(chunk)
        await upload.finish()


# ---------------------------------------------------------------------- the head of a request


def _wants_lines(request: Request) -> bool:
    accepted = [item.split(";")[0].strip().lower() for item in request.headers.get("accept", "").split(",")]
    return JSON_LINES in accepted or "application/jsonl" in accepted


def _read_media_type(request: Request) -> tuple[FeedFormat, bool]:
    """The format of the feed, and whether it comes packed by gzip. Raises `ProtocolFault`."""
    content_type = request.headers.get("content-type", "")
    found = FeedFormat.of_media_type(content_type)
    if found is None:
        raise ProtocolFault(415, f"send the feed as {_MEDIA_TYPES}")
    for parameter in content_type.lower().split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name == "charset" and value.strip('"') not in {"utf-8", "utf8"}:
            raise ProtocolFault(415, "send the feed in UTF-8")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise ProtocolFault(415, "send the feed as it is, or packed by gzip")
    return found, encoding == "gzip"


def _read_options(request: Request) -> PlanOptions:
    """How the feed is meant, by the address. Raises `ProtocolFault`: what is misspelt is not passed over."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in PARAMETERS:
            raise ProtocolFault(400, f"there is no parameter `{name[:40]}`: known are {', '.join(PARAMETERS)}")
        if name in given:
            raise ProtocolFault(400, f"`{name}` is given twice")
        given[name] = value
    mode = given.get("mode", SyncMode.ATOMIC)
    if mode not in list(SyncMode):
        raise ProtocolFault(400, f"`mode` must be {' or '.join(SyncMode)}")
    for name in ("takeOver", "resume"):
        if given.get(name, "true") not in {"true", "false"}:
            raise ProtocolFault(400, f"`{name}` must be true or false")
    most = given.get("maxRemovals")
    if most is not None and not re.fullmatch("[0-9]{1,9}", most, re.ASCII):
        raise ProtocolFault(400, "`maxRemovals` must be a whole number, 0 or more")
    return PlanOptions(
        source=request.path_params["source"], mode=SyncMode(mode), take_over=given.get("takeOver") == "true",
        max_removals=None if most is None else int(most), resume=given.get("resume") == "true",
    )  # fmt: skip


def _read_key(request: Request) -> str | None:
    keys = request.headers.getlist("idempotency-key")
    if len(keys) > 1:
        raise ProtocolFault(400, "`Idempotency-Key` is given twice")
    if not keys:
        return None
    key = keys[0].strip()
    return key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key  # a structured header has quotes


# ---------------------------------------------------------------------- what is answered


class _turning:  # noqa: N801  # read as `async with turning`
    """Makes a response of whatever goes wrong within: what fails inside stays inside."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None or isinstance(error, _Turned | ClientDisconnect) or not isinstance(error, Exception):
            return
        raise _Turned(_refuse(error)) from error


def _refuse(error: Exception) -> Response:
    if isinstance(error, ProtocolFault):
        code = CODES.get(error.status, FaultCode.BAD_REQUEST)
        return write_fault(error.status, code, error.message, headers=error.headers)
    if isinstance(error, Held):
        answer = {"errors": [one.formatted for one in error.errors]}
        return write_answer(answer, JSON, status=error.status, headers={"retry-after": str(error.retry_after)})
    if isinstance(error, Refused):
        return _refuse_plan(error.errors)
    if isinstance(error, Outage):
        return write_outage(error)
    reference = sha256(repr(error).encode()).hexdigest()[:12]
    log("a feed failed", level=40, exception=error, reference=reference)
    return write_fault(500, FaultCode.INTERNAL_SERVER_ERROR, f"internal error, reference {reference}")


def _refuse_plan(errors: tuple[DomainError, ...]) -> Response:
    """No plan at all: the caller may not, or what stands beside the feed is wrong."""
    if any(error.code is ErrorCode.NOT_PERMITTED for error in errors):
        return write_fault(403, FaultCode.FORBIDDEN, "; ".join(map(str, errors)))
    return write_answer(show_refusals(SyncAnswer(run=None, errors=errors)), JSON, status=422)


class _Told:
    """What the client hears: lines as long as there is something to wait for, or one object."""

    def __init__(self, send: Send, *, in_lines: bool) -> None:
        self.in_lines = in_lines
        self.has_begun = False
        self._send = send
        self._kept: list[dict[str, Any]] = []

    async def tell(self, content: dict[str, Any], *, at_once: bool) -> None:
        """Tells how far it is. Before it is clear that there will be an answer, only what takes a while is told."""
        if self.in_lines:
            self._kept.append(content)
            if at_once or self.has_begun:
                await self._flush()

    async def end(self, answer: dict[str, Any]) -> Response | None:
        if not self.in_lines:
            return write_answer(answer, JSON)
        self._kept.append(answer)
        await self._flush(over=True)
        return None

    async def turn(self, response: Response) -> Response | None:
        """A refusal has its status while that can be told, and stands in the last line afterwards."""
        if not self.has_begun:
            return response
        content = orjson.loads(response.body)
        self._kept.append({**content, "status": response.status_code})
        await self._flush(over=True)
        return None

    async def _flush(self, *, over: bool = False) -> None:
        if not self.has_begun:
            self.has_begun = True
            headers = {"content-type": JSON_LINES, "cache-control": "no-store", "x-content-type-options": "nosniff",
                       "vary": "accept", "x-accel-buffering": "no"}  # fmt: skip
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            await self._send({"type": "http.response.start", "status": 200, "headers": raw})
        body = b"".join(orjson.dumps(line) + b"\n" for line in self._kept)
        self._kept.clear()
        await self._send({"type": "http.response.body", "body": body, "more_body": not over})
