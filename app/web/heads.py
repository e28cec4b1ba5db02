"""The head of a request, its line and its header fields: it is so large at most, and comes within a time.

The server below us bounds neither. A head that never ends holds a connection for nothing, and one that never stops
growing holds memory: nothing of ours is asked before it is complete.

Fields that come after a body (trailers) are left out. They would be added to those of the head, whose readers take them
for what the sender vouched for before: another `Authorization`, say, of whoever could write the body alone.

An upgrade to anything but a socket is passed over (RFC 9110, 7.8): some clients offer HTTP/2 with whatever they send.
The parser takes what follows such a head for the other protocol: it is given the head again without the offer.
"""

import asyncio
import re
import sys
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.settings import Limits

_KEY = re.compile(rb"[+/0-9A-Za-z]{22}==")
EMPTY = b"%bcontent-length: 0\r\nconnection: close\r\n\r\n"
REFUSAL = b"%bcontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"


class _TooLarge(Exception):
    """The head has more than is taken."""


def _make_parser(protocol: HttpToolsProtocol) -> httptools.HttpRequestParser:
    """A parser as uvicorn makes one."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it, its heads within the limits. One for each connection."""

    def __init__(self, *args: Any, limits: Limits, **more: Any) -> None:
        super().__init__(*args, **more)
        self._limits = limits
        self._is_awaited = False  # a head that is not complete
        self._given_up: asyncio.TimerHandle | None = None  # when that one is; most are complete before it is set
        self.begun = 0  # requests that have begun in what comes now
        self._size = 0  # bytes that came of a head that is not complete
        self._taken = 0  # of these, what the parser has made of them: a head may come all at once
        self._is_too_large = False
        self._has_head = False  # of the request that is coming: what comes now is its body, or after that
        self._is_declined = False  # the head that was read offers an upgrade that is passed over
        self._at = 0  # where what follows that head begins in what came
        self._last_word: bytes | None = None  # told behind the answers that are on their way; nothing more is read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._is_awaited = True
        self._limit_wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._last_word is not None:
            return
        if self.cycle is None or self.cycle.response_complete:
            self._is_awaited = True  # whatever comes now is the head of a request, or nothing that anybody waits for
        is_head, self.begun = self._is_awaited, 0
        rest = memoryview(data)
        super().data_received(data)
        while self._is_declined and not self._is_ending():
            self._is_declined, rest = False, rest[self._at :]
            head, self.parser = self._spell_head(), _make_parser(self)  # the old one reads nothing after `close`
            super().data_received(head)
            if rest and not self._is_ending():
                super().data_received(rest)  # type: ignore[arg-type]  # the parser takes whatever is bytes
        if self._is_awaited and not self._is_ending():
            self._limit_wait()
            # All of it belongs to a head that is not complete; or only what has come behind others.
            self._size += len(data) if is_head and self.begun <= 1 else self._taken
            if self._size > self._limits.max_head_bytes:
                self._is_too_large = True
                self.send_400_response("")

    def on_message_begin(self) -> None:
        if self.timeout_keep_alive_task is not None:  # it came together with one that is answered already
            self._unset_keepalive_if_required()
        super().on_message_begin()
        self.begun += 1
        self._size = self._taken = 0
        self._has_head = False
        self._is_awaited = True

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._taken += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:
            super().on_header(name, value)
        self._taken += len(name) + len(value)
        limits = self._limits
        if len(self.headers) > limits.max_head_fields or self._taken > limits.max_head_bytes:
            self._is_too_large = True
            raise _TooLarge  # the parser stops, and the answer is asked for below

    def on_headers_complete(self) -> None:
        parser = self.parser
        if parser.should_upgrade() and not self._should_upgrade() and parser.get_method() != b"CONNECT":
            self._is_declined = True
            return
        self.have_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._is_declined:
            super().on_message_complete()

    def have_head(self) -> None:
        """Takes note that the head of a request is complete: nothing is added to it."""
        self._has_head = True
        self._end_wait()

    def _should_upgrade(self) -> bool:
        return self.parser.get_method() == b"GET" and super()._should_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        error = sys.exception()
        if isinstance(error, httptools.HttpParserUpgrade):
            self._at = error.args[0]

    def _spell_head(self) -> bytes:
        """The head that was read, without the upgrade that it offers."""
        parser = self.parser
        lines = [b"%b %b HTTP/%b" % (parser.get_method(), self.url, parser.get_http_version().encode())]
        lines += [b"%b: %b" % (name, value) for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def handle_websocket_upgrade(self) -> None:
        keys = [value for name, value in self.headers if name == b"sec-websocket-key"]
        if not all(map(_KEY.fullmatch, keys)):  # else the client is told what Python has to say of it
            return self.send_400_response("Invalid handshake: a `Sec-WebSocket-Key` is 16 bytes in base64.")
        super().handle_websocket_upgrade()
        if not getattr(self.transport.get_protocol(), "handshake_initiated", True):
            self.send_400_response("Invalid handshake.")  # it could not be read, of which nobody else would tell
        return None

    def send_400_response(self, msg: str) -> None:
        """Says why a head is not taken, and ends the connection."""
        self._end_wait()
        if self._is_too_large:
            self._end_with(EMPTY % STATUS_LINE[431])
        else:
            self._end_with(REFUSAL % (STATUS_LINE[400], len(msg), msg.encode("ascii")))

    def on_response_complete(self) -> None:
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self._last_word is not None and not self.transport.is_closing():
            self.transport.write(self._last_word)
            self.transport.close()

    def _end_with(self, last_word: bytes) -> None:
        """Ends the connection with these words, once whatever came before is answered: answers come in order."""
        last = self.cycle
        if last is not None and last.more_body and self.pipeline and self.pipeline[0][0] is last:
            self.pipeline.popleft()  # it has not begun, and what is told is the answer to it
            self._last_word = last_word
        elif last is not None and not last.response_complete and not last.more_body:
            self._last_word = last_word
        else:
            self.transport.write(last_word)
            self.transport.close()

    def _is_ending(self) -> bool:
        """Whether nothing is read any more."""
        return self._last_word is not None or self.transport.is_closing()

    def _limit_wait(self) -> None:
        if self._given_up is None:
            self._given_up = self.loop.call_later(self.find_patience(), self._give_up)

    def find_patience(self) -> float:
        """Seconds for a head to come, be it the first or the next one."""
        return self._limits.head_timeout_s

    def _end_wait(self) -> None:
        """No head is awaited any more."""
        self._is_awaited = False
        if self._given_up is not None:
            self._given_up.cancel()
            self._given_up = None

    def _give_up(self) -> None:
        self._given_up = None
        if self.transport.is_closing():
            return
        # Where nothing came, nothing was asked that could be answered.
        self._end_with(EMPTY % STATUS_LINE[408] if self._size else b"")
