"""GraphQL over HTTP: from a request to a GraphQL request, and from an answer to a response.

Follows the GraphQL-over-HTTP draft at its MUST level with the statuses that its public audits expect: 400 for whatever
could not be run, 200 once something was.
"""

import asyncio
import re
from collections.abc import Awaitable, Iterable
from functools import lru_cache
from typing import Any

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from app.graphql.execution import BESIDE, Request
from app.graphql.faults import FaultCode
from app.settings import Limits
from app.web.beginning import begin

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
CODES = {401: FaultCode.UNAUTHENTICATED, 429: FaultCode.REQUEST_RATE_LIMITED}  # others are BAD_REQUEST
MAX_DOCUMENT_ID = 200  # characters: `sha256:` and 64 digits, or an id of one's own making
MAX_DIGITS = 19  # of a number: those of 64 bits have no more
MAX_DEPTH = 64  # brackets within brackets in a body: a document's variables are a few levels deep
KEPT = 128  # texts of header fields of which it is known what they say: most clients send one or two
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)  # one that does not end takes the rest, once
_LONG_NUMBER = re.compile(rb"[0-9]{20}")  # it has more digits than any that we take
_BRACKET = re.compile(rb"[\[\]{}]")
_REVISION = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


class ProtocolFault(Exception):
    """A request that is none: what to answer, and with which status."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.message = message
        self.headers = headers or {}
        super().__init__(message)


class Head:
    """What of the head of a request decides how it is read. Of a field that is given several times the first counts."""

    __slots__ = ("accept", "authorization", "client", "content_encoding", "content_length", "content_type", "method")

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"]
        self.client: str = scope["client"][0] if scope.get("client") else ""
        self.authorization: list[str] = []  # as often as it was given
        found: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name == b"authorization":
                self.authorization.append(value.decode("latin-1"))
            elif name in _READ:
                found.setdefault(name, value)
        accept = found.get(b"accept")
        self.accept = None if accept is None else accept.decode("latin-1")
        self.content_type = found.get(b"content-type", b"").decode("latin-1")
        self.content_encoding = found.get(b"content-encoding", b"identity").decode("latin-1")
        self.content_length = found.get(b"content-length", b"").decode("latin-1")

    def is_small(self, limits: Limits) -> bool:
        """Whether a body is announced that is small."""
        return is_small(self.content_length, limits)


def is_small(announced: str, limits: Limits) -> bool:
    """Whether a body of so many bytes is small, if they are a number of bytes."""
    if not announced.isdecimal() or len(announced) > MAX_DIGITS:
        return False
    size = int(announced)
    return size <= BESIDE and size <= limits.max_body_bytes


_READ = frozenset({b"accept", b"content-type", b"content-encoding", b"content-length"})


@lru_cache(KEPT)
def accepts_events(accept: str | None) -> bool:
    """Whether events are accepted by their name: what takes anything expects one answer."""
    return any(name == EVENT_STREAM and quality > 0 for name, quality in _read_accept(accept or ""))


@lru_cache(KEPT)
def choose_media_type(accept: str | None, *, or_events: bool = False) -> str:
    """The media type of the answer. Raises `ProtocolFault` (406) where none of ours will do.

    With `or_events` it is an event stream where nothing else will do: a client that also takes JSON is given JSON.
    """
    if accept is None or not accept.strip():
        return JSON
    wishes = [(name, quality, -place) for place, (name, quality) in enumerate(_read_accept(accept))]
    found: list[tuple[float, int, int, str]] = []
    for media_type in (GRAPHQL_RESPONSE, JSON):
        # The most specific range that fits decides (RFC 9110, 12.5.1): what is refused by name no wildcard lets in.
        for width, wanted in enumerate((media_type, "application/*", "*/*")):
            fitting = [(quality, -width, place, media_type) for name, quality, place in wishes if name == wanted]
            if fitting:
                found.append(max(fitting))
                break
    quality, *_, best = max(found, default=(0.0, 0, 0, JSON))  # of equals the one that stands first, else plain JSON
    if quality == 0 and or_events and accepts_events(accept):
        return EVENT_STREAM
    if quality == 0:
        raise ProtocolFault(406, f"answers are {GRAPHQL_RESPONSE} or {JSON}")
    return best


def _read_accept(accept: str) -> Iterable[tuple[str, float]]:
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                quality = float(value) if re.fullmatch(r"[01](\.[0-9]{0,3})?", value.strip()) else 0.0
        yield name, quality


def check_post(head: Head) -> None:
    """Looks at how a POST says that its body is written. Raises `ProtocolFault`.

    A browser sends none of them for a foreign page without asking first (a preflight, which is answered with 405): a
    POST has to be JSON, and a GET has no caller without an `Authorization` that no page but ours can know or set.
    """
    fault = _find_type_fault(head.content_type)
    if fault is not None:
        raise ProtocolFault(415, fault)
    if head.content_encoding.lower() != "identity":
        raise ProtocolFault(415, "send the request uncompressed")


@lru_cache(KEPT)
def _find_type_fault(content_type: str) -> str | None:
    """Why a body of this type is not taken."""
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if name != JSON:
        return f"send the request as {JSON}"
    for parameter in parameters:
        if parameter.startswith("charset=") and parameter[8:].strip('"') not in {"utf-8", "utf8"}:
            return "send the request in UTF-8"
    return None


async def read_post(body: bytes) -> Request:
    """The GraphQL request of the body of a POST; a long one is read beside the event loop. Raises `ProtocolFault`."""
    return read_body(body) if len(body) <= BESIDE else await asyncio.to_thread(read_body, body)


async def receive_body(request: HttpRequest, limits: Limits) -> bytes:
    """The body of a request. Raises `ProtocolFault` where it is too large, or does not come in time."""
    return await receive_all(request.receive, request.headers.get("content-length", ""), limits)


async def receive_all(receive: Receive, announced: str, limits: Limits) -> bytes:
    """The body of a request that announces so many bytes, if it announces any. Raises `ProtocolFault`.

    One that has come already is not waited for.
    """
    most = limits.max_body_bytes
    if announced.isdecimal() and (len(announced) > MAX_DIGITS or int(announced) > most):
        raise _too_large(most)  # before the client is told to go on and send it
    first = begin(receive())
    if first.is_done and not first.result.get("more_body"):
        return _read_message(first.result, 0, most)
    chunks: list[bytes] = []
    size = 0
    waiting: Awaitable[Message] = first
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            while True:
                async with asyncio.timeout(limits.receive_timeout_s):
                    message = await waiting
                chunks.append(_read_message(message, size, most))
                size += len(chunks[-1])
                if not message.get("more_body", False):
                    return b"".join(chunks)
                waiting = receive()
    except TimeoutError:
        raise ProtocolFault(408, "the body of the request did not come in time", {"connection": "close"}) from None


def _read_message(message: Message, size: int, most: int) -> bytes:
    """What a message brings of a body of which so many bytes have come."""
    if message["type"] == "http.disconnect":
        raise ProtocolFault(400, "the request ended before its body did", {"connection": "close"})
    chunk: bytes = message.get("body", b"")
    if size + len(chunk) > most:
        raise _too_large(most)
    return chunk


def _too_large(most: int) -> ProtocolFault:
    return ProtocolFault(413, f"a request has at most {most} bytes", {"connection": "close"})


def read_body(body: bytes) -> Request:
    """The GraphQL request of a JSON body. Raises `ProtocolFault` with one clear message for whatever is not one."""
    content = _parse_small(body) if len(body) <= BESIDE else None
    if content is None or not _is_plain(content, body):
        members = _check_bounds(body)
        if content is None:
            try:
                content = orjson.loads(body)
            except (orjson.JSONDecodeError, RecursionError):
                raise ProtocolFault(400, "the body is not JSON in UTF-8") from None
        _check_names(content, members)
    elif len(content) == 2:  # most have a document and its variables, and nothing else
        query, variables = content.get("query"), content.get("variables")
        if query.__class__ is str and variables.__class__ is dict and query and not query.isspace():
            return Request(query, None, variables, None, None, len(body))
    if isinstance(content, list):
        raise ProtocolFault(400, "one request at a time: the body is a list")
    if not isinstance(content, dict):
        raise ProtocolFault(400, "the body is not a JSON object")
    return _read_content(content, len(body))


def _parse_small(body: bytes) -> Any:
    """What a small body says; None for nothing, or for what is not JSON. It takes no longer than to look at it."""
    try:
        return orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        return None


def _is_plain(content: Any, body: bytes) -> bool:
    """Whether a body has texts alone, in objects and lists that are not too deep, and no name twice in an object.

    Nothing else has to be looked for in it. Every text, be it a name or a value, stands between two quotes, and a quote
    within one behind a backslash; where there are more of them, some name stands twice, and what was under it is not in
    the object.
    """
    if content.__class__ is not dict or b"\\\\" in body:
        return False
    texts = depth = 0
    level: list[Any] = [content]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return False
        deeper: list[Any] = []
        for value in level:
            if value.__class__ is dict:
                texts += len(value)
                value = value.values()  # noqa: PLW2901  # its names are counted
            for inner in value:
                kind = inner.__class__
                if kind is str:
                    texts += 1
                elif kind is dict or kind is list:
                    deeper.append(inner)
                elif inner is not None and kind is not bool:
                    return False
        level = deeper
    return body.count(b'"') - body.count(b'\\"') == 2 * texts


def _check_bounds(body: bytes) -> int:
    """Looks at nesting and at numbers before anybody parses them; what stands within a text is neither.

    Gives how many members its objects have, if it is JSON: each has a colon.
    """
    bare = _TEXT.sub(b'"', body)
    if _LONG_NUMBER.search(bare) is not None:
        raise ProtocolFault(400, "the body has a number of more digits than any that is taken")
    if bare.count(b"{") + bare.count(b"[") > MAX_DEPTH:  # else there is no depth to look for
        depth = 0
        for bracket in _BRACKET.findall(bare):
            depth += 1 if bracket in b"[{" else -1
            if depth > MAX_DEPTH:
                raise ProtocolFault(400, f"the body is nested deeper than {MAX_DEPTH} levels")
    return bare.count(b":")


def _check_names(content: object, members: int) -> None:
    """Refuses objects in which a name stands twice, of which the parser keeps the last and others may see the first."""
    if isinstance(content, dict) and members == _count_members(content):
        return  # nothing deeper has any, or has one twice
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            members -= len(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    if members:
        raise ProtocolFault(400, "an object of the body has the same name twice")


def _count_members(content: dict[str, Any]) -> int:
    """Those of an object and of the objects right in it, without looking deeper."""
    return len(content) + sum([len(value) for value in content.values() if value.__class__ is dict])


def _read_content(content: dict[str, Any], size: int) -> Request:
    query, document_id = content.get("query"), content.get("documentId")
    if query == "":
        query = None
    if document_id == "":
        document_id = None
    if document_id is not None and (not isinstance(document_id, str) or len(document_id) > MAX_DOCUMENT_ID):
        raise ProtocolFault(400, f"`documentId` must be a text of at most {MAX_DOCUMENT_ID} characters")
    if document_id is not None and query is not None:
        raise ProtocolFault(400, "send either `query` or `documentId`")
    variables = content.get("variables")
    if variables is not None and not isinstance(variables, dict):
        raise ProtocolFault(400, "`variables` must be an object")
    name = content.get("operationName")
    if name is not None and not isinstance(name, str):
        raise ProtocolFault(400, "`operationName` must be a text")
    extensions = content.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise ProtocolFault(400, "`extensions` must be an object")
    revision = None if extensions is None else extensions.get("minRevision")
    if revision is not None and (not isinstance(revision, str) or _REVISION.fullmatch(revision) is None):
        raise ProtocolFault(400, '`extensions.minRevision` must be a revision as it was handed out, such as `"42"`')
    is_named = document_id is not None or (query is None and "persistedQuery" in (extensions or {}))
    if not is_named and (not isinstance(query, str) or not query.strip()):
        raise ProtocolFault(400, "`query` must be a text: the GraphQL document")
    return Request(
        query=query, document_id=document_id, variables=variables, operation_name=name or None,
        min_revision=None if revision is None else int(revision), size=size,
    )  # fmt: skip


def read_object(text: str) -> dict[str, Any]:
    """The JSON object of one message. Raises `ProtocolFault` for whatever is not one."""
    encoded = text.encode("utf-8", "replace")
    members = _check_bounds(encoded)
    try:
        content = orjson.loads(encoded)
    except (orjson.JSONDecodeError, RecursionError):
        raise ProtocolFault(400, "the message is not JSON") from None
    _check_names(content, members)
    if not isinstance(content, dict):
        raise ProtocolFault(400, "the message is not a JSON object")
    return content


def read_payload(payload: object, *, size: int = 0) -> Request:
    """The GraphQL request that a message of some size carries. Raises `ProtocolFault`."""
    if not isinstance(payload, dict):
        raise ProtocolFault(400, "`payload` must be an object: the request")
    return _read_content(payload, size)


def read_get(query_string: bytes) -> Request:
    """The GraphQL request of a GET. Raises `ProtocolFault`."""
    parameters = QueryParams(query_string)
    for name in ("query", "documentId", "operationName", "variables", "extensions"):
        if len(parameters.getlist(name)) > 1:
            raise ProtocolFault(400, f"`{name}` is given twice")
    content: dict[str, Any] = {
        "query": parameters.get("query"),
        "documentId": parameters.get("documentId"),
        "operationName": parameters.get("operationName") or None,
    }
    for name in ("variables", "extensions"):
        text = parameters.get(name)
        if text:
            members = _check_bounds(text.encode())
            try:
                content[name] = orjson.loads(text)
            except (orjson.JSONDecodeError, RecursionError):
                raise ProtocolFault(400, f"`{name}` is not JSON") from None
            _check_names(content[name], members)
    return _read_content(content, len(query_string))


class Written(Response):
    """A JSON answer that nobody keeps. It is a `Response` whose header fields are put together once."""

    def __init__(self, content: object, media_type: str, status: int, headers: dict[str, str] | None) -> None:
        self.status_code = status
        self.background = None
        self.body = orjson.dumps(content)
        more = [] if headers is None else [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        self.raw_headers = [*FIXED, *more, (b"content-length", b"%d" % len(self.body)), find_type(media_type)]


FIXED = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"), (b"vary", b"accept"))


@lru_cache(KEPT)
def find_type(media_type: str) -> tuple[bytes, bytes]:
    """The header field of a media type."""
    return b"content-type", f"{media_type}; charset=utf-8".encode("latin-1")


def write_answer(
    content: object, media_type: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A JSON answer that nobody keeps."""
    return Written(content, media_type, status, headers)


def write_fault(
    status: int, code: str, message: str, media_type: str = JSON, headers: dict[str, str] | None = None
) -> Response:
    """A refusal of the whole request, as a GraphQL error; there is no `data`, because nothing was run."""
    errors = [{"message": message, "extensions": {"code": code}}]
    return write_answer({"errors": errors}, media_type, status=status, headers=headers)
