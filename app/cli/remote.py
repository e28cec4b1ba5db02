"""A gateway that runs elsewhere: feeds by `POST /sync/{source}`, everything else by GraphQL, with a token."""

import json
import select
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from app.catalogs.feeds import FeedFormat
from app.cli.gateways import PAGE, FeedFile
from app.cli.progress import Progress
from app.cli.running import UNAVAILABLE, Failed
from app.web.sync_answers import Data

SILENCE_S = 60.0  # without a word, after which a gateway is given up; while it plans it says something every second
APPLYING_S = 3600.0  # an answer to GraphQL comes whole: a plan for a million people takes minutes
MAX_ANSWER = 64 << 20  # bytes of an answer; a hundred items with their errors are well below one
SEND = 256 << 10  # bytes sent at a time
_MEDIA_TYPES = {
    FeedFormat.JSON_LINES: "application/x-ndjson", FeedFormat.CSV: "text/csv", FeedFormat.YAML: "application/yaml",
}  # fmt: skip
_AGAIN = "the same command again goes on from there"
_RUN = """id source status mode takeOver maxRemovals baseRevision revision fingerprint creates updates removes suspends
  losingRights unchanged conflicts refused brake warnings plannedAt plannedBy appliedAt appliedBy reason"""
_ERROR = "code message path ... on InvalidValue { expected }"
_APPLY = f"""mutation($input: ApplySyncInput!) {{ applySync(input: $input) {{
  run {{ {_RUN} }} errors {{ {_ERROR} }} warnings {{ {_ERROR} }} }} }}"""
_FIND = f"query($id: ID!) {{ syncRun(id: $id) {{ {_RUN} }} }}"
_ITEMS = f"""query($id: ID!, $action: SyncAction, $first: Int, $after: String) {{ syncRun(id: $id) {{
  items(first: $first, after: $after, action: $action) {{ pageInfo {{ hasNextPage endCursor }}
  edges {{ node {{ action subject path detail errors {{ {_ERROR} }} }} }} }} }} }}"""
_RUNS = f"""query($source: String, $first: Int) {{ syncRuns(source: $source, first: $first) {{
  edges {{ node {{ {_RUN} }} }} }} }}"""


class TurnedAway(Exception):
    """The gateway refuses the caller, or the request as a whole."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)

    def as_answer(self) -> Data:
        """The same as an answer without a run."""
        error = {"code": self.code, "message": str(self), "path": []}
        return {"run": None, "errors": [error], "warnings": [], "repeated": False}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a gateway is: `path` is what stands before `/graphql` and `/sync`."""

    secure: bool
    host: str
    port: int | None
    path: str

    @staticmethod
    def read(url: str) -> "Address":
        """An address as a person gives it, of the gateway or of its `/graphql`. Raises `ValueError`."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            raise ValueError("expected an address such as https://permgate.example.com")
        if parts.query or parts.fragment:
            raise ValueError("expected an address without `?` and `#`")
        path = parts.path.rstrip("/").removesuffix("/graphql")
        return Address(parts.scheme == "https", parts.hostname, parts.port, path)

    def __str__(self) -> str:
        scheme = "https" if self.secure else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}{'' if self.port is None else f':{self.port}'}{self.path}"


class RemoteGateway:
    """Speaks HTTP to one gateway. The token goes there and nowhere else: no redirection is followed."""

    def __init__(self, address: Address, token: str) -> None:
        self._address = address
        self._token = token

    def __enter__(self) -> "RemoteGateway":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        return

    # ------------------------------------------------------------------ planning

    def plan(self, feed: FeedFile, *, key: str | None, resume: bool, progress: Progress) -> Data:
        given = {"mode": feed.mode.value, "takeOver": str(feed.take_over).lower(), "resume": str(resume).lower()}
        if feed.max_removals is not None:
            given["maxRemovals"] = str(feed.max_removals)
        size = feed.path.stat().st_size
        headers = {
            "content-type": _MEDIA_TYPES[feed.format], "content-length": str(size), "accept": "application/x-ndjson",
        }  # fmt: skip
        if key is not None:
            headers["idempotency-key"] = key
        connection = self._connect(SILENCE_S)
        try:
            response = self._send_feed(connection, feed, f"{quote(feed.source, safe='')}?{urlencode(given)}", headers,
                                       size, progress)  # fmt: skip
            if response.status != 200 or response.headers.get_content_type() != "application/x-ndjson":
                return self._read_answer(response)
            return self._read_lines(response, progress)
        except (OSError, HTTPException) as error:
            raise self._broken(error) from None
        finally:
            connection.close()

    def _send_feed(
        self,
        connection: HTTPConnection,
        feed: FeedFile,
        path: str,
        headers: dict[str, str],
        size: int,
        progress: Progress,
    ) -> HTTPResponse:
        """Sends a feed as it is read; stops where the gateway has said no already."""
        connection.putrequest("POST", f"{self._address.path}/sync/{path}")
        for name, value in {**headers, "authorization": f"Bearer {self._token}"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.auto_open = 0  # what breaks is not opened anew in the middle of a feed
        progress.begin("sending", size)
        sent = 0
        response: HTTPResponse | None = None
        with feed.path.open("rb") as file:
            while part := file.read(min(SEND, size - sent)):
                if response is None and _has_word(connection):
                    response = connection.getresponse()
                if response is not None and response.status != 200:
                    return response
                try:
                    connection.send(part)
                except (OSError, HTTPException):
                    return response or connection.getresponse()  # it may have said why before it hung up
                sent += len(part)
                progress.advance(sent)
        if sent < size:
            raise Failed(f"`{feed.path}` has become shorter while it was sent")
        progress.begin("waiting")
        return response or connection.getresponse()

    def _read_lines(self, response: HTTPResponse, progress: Progress) -> Data:
        """The last line of an answer that comes line by line."""
        phase = "waiting"
        while line := response.readline(MAX_ANSWER):
            content = _read_object(line)
            if "progress" not in content:
                return self._judge(content, content.get("status", 200))
            told = content["progress"]
            if told["phase"] != phase and told["phase"] != "receiving":
                phase = told["phase"]
                progress.begin(phase, told.get("total"))
            progress.advance(told.get("bytes", 0))
        raise Failed(f"the gateway at {self._address} broke off before it had an answer: {_AGAIN}", UNAVAILABLE)

    # ------------------------------------------------------------------ applying and looking

    def apply(self, run: Data, *, override_brake: bool, reason: str | None) -> Data:
        given = {
            "plan": run["id"], "fingerprint": run["fingerprint"], "overrideBrake": override_brake, "reason": reason
        }  # fmt: skip
        answer: Data = self._ask(_APPLY, {"input": given}, silence=APPLYING_S)["applySync"]
        return {**answer, "repeated": False}

    def find(self, run: str) -> Data | None:
        found: Data | None = self._ask(_FIND, {"id": run})["syncRun"]
        return found

    def list_items(self, run: str, action: str) -> Iterator[Data]:
        after: str | None = None
        while True:
            found = self._ask(_ITEMS, {"id": run, "action": action, "first": PAGE, "after": after})["syncRun"]
            if found is None:
                return
            yield from (edge["node"] for edge in found["items"]["edges"])
            if not found["items"]["pageInfo"]["hasNextPage"]:
                return
            after = found["items"]["pageInfo"]["endCursor"]

    def list_runs(self, source: str | None, most: int) -> list[Data]:
        return [edge["node"] for edge in self._ask(_RUNS, {"source": source, "first": most})["syncRuns"]["edges"]]

    def _ask(self, document: str, variables: Data, *, silence: float = SILENCE_S) -> Data:
        """The data of a GraphQL request. Raises `TurnedAway` and `Failed`."""
        body = json.dumps({"query": document, "variables": variables}).encode()
        headers = {
            "content-type": "application/json", "accept": "application/json", "authorization": f"Bearer {self._token}",
        }  # fmt: skip
        connection = self._connect(silence)
        try:
            connection.request("POST", f"{self._address.path}/graphql", body, headers)
            data: Data = self._read_answer(connection.getresponse())["data"]
            return data
        except (OSError, HTTPException) as error:
            raise self._broken(error) from None
        finally:
            connection.close()

    # ------------------------------------------------------------------ on the wire

    def _connect(self, silence: float) -> HTTPConnection:
        where = self._address
        if not where.secure:
            return HTTPConnection(where.host, where.port, timeout=silence)
        return HTTPSConnection(where.host, where.port, timeout=silence, context=ssl.create_default_context())

    def _read_answer(self, response: HTTPResponse) -> Data:
        if 300 <= response.status < 400:
            where = response.headers.get("location", "elsewhere")
            raise Failed(f"{self._address} points to {_printable(where)}: give that address", UNAVAILABLE)
        body = response.read(MAX_ANSWER)
        try:
            content = _read_object(body)
        except Failed:
            raise Failed(
                f"{self._address} answers with {response.status}, and not as a gateway does: is it the right address?",
                UNAVAILABLE,
            ) from None
        return self._judge(content, response.status)

    def _judge(self, content: Data, status: int) -> Data:
        """The content of an answer, where it is one."""
        if "run" in content or (content.get("data") is not None and not content.get("errors")):
            return content
        faults = content.get("errors") or [{"message": f"the gateway answers with {status}"}]
        code = str(faults[0].get("extensions", {}).get("code", "BAD_REQUEST"))
        message = "; ".join(str(fault.get("message")) for fault in faults)
        if status >= 500 or code == "INTERNAL_SERVER_ERROR":
            raise Failed(f"the gateway at {self._address} failed: {_printable(message)}", UNAVAILABLE)
        raise TurnedAway(code, message)

    def _broken(self, error: Exception) -> Failed:
        """What a connection broke by, in words; the token is in none of them."""
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Failed(f"no answer from the gateway at {self._address}: {_printable(reason)}; {_AGAIN}", UNAVAILABLE)


def _has_word(connection: HTTPConnection) -> bool:
    """Whether the other side has begun to answer."""
    return bool(connection.sock and select.select([connection.sock], [], [], 0)[0])


def _read_object(text: bytes) -> Data:
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise Failed("the answer of the gateway is no JSON object", UNAVAILABLE)
    return content


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:400])
