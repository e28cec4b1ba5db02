"""Usual questions answered where they are read: between the parser of HTTP and the application, without a call of it.

A call takes a task, its messages and its timers, which is most of what a small question takes. Here a POST to GraphQL
that came in one piece, head and body, is shown to the short cut (`shortcut.py`) first, together with those that came
on other lines meanwhile. What that does not answer is made a call of the application as ever, which does not see a
difference.
"""

from typing import Any

from app.services.index import RightsIndex
from app.web.door import SHOWN, Gateway
from app.web.heads import BoundedHttp
from app.web.routes import GRAPHQL
from app.web.shortcut import Shortcut

ADDRESS = GRAPHQL.encode()
MOST_IN_A_ROW = 16  # that came on one line at once; the others are calls, between which everybody has a turn
LAST_S = 0.5  # for who was let in while the server stops to ask: others of its clients are closed as soon as they rest


class StraightHttp(BoundedHttp):
    """HTTP/1.1 within the limits, with the short cut of the application, if it has one. One for each connection."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._gateway = _find_gateway(self.app)
        self._held: bytearray | None = None  # the body of a request that is no call of the application yet
        self._shortcut: Shortcut | None = None  # that it is held back for
        self._is_waiting = False  # it is complete, and waits for the others of this turn

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._held is None or self._is_waiting:
            return
        if self.transport.is_closing():  # what came was no HTTP
            self._held = None
        else:  # there is more to come, for which the application knows how to wait
            self._call()

    def find_patience(self) -> float:
        is_late = self._gateway is not None and self._gateway.lifecycle.stopping
        return min(LAST_S, super().find_patience()) if is_late else super().find_patience()

    def on_message_begin(self) -> None:
        self._answer_now()
        super().on_message_begin()

    def send_400_response(self, msg: str) -> None:
        self._answer_now()
        super().send_400_response(msg)

    def eof_received(self) -> None:
        self._answer_now()  # the line is closed once this was told
        super().eof_received()

    def shutdown(self) -> None:
        self._answer_now()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._held, self._is_waiting = None, False
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        shortcut = self._find_shortcut()
        if shortcut is None:
            super().on_headers_complete()
        else:
            self.have_head()
            self._held, self._shortcut = bytearray(), shortcut

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._held += body

    def on_message_complete(self) -> None:
        if self._held is None or self._shortcut is None:
            super().on_message_complete()
        else:
            self._is_waiting = True
            self._shortcut.answer_soon(self._answer)

    def _answer_now(self) -> None:
        """Answers what waits for others, if it does: what comes next has to come behind it."""
        if self._is_waiting and self._shortcut is not None:
            self._answer(self._shortcut.find_index())

    def _answer(self, index: RightsIndex | None) -> None:
        """Answers what waits, unless it was already."""
        if not self._is_waiting or self._shortcut is None or self._held is None:
            return
        self._is_waiting = False
        if self.transport.is_closing():
            self._held = None
            return
        answer = self._shortcut.answer(self.headers, bytes(self._held), index)
        if answer is None:
            self.scope["state"][SHOWN] = True
            self._call()
            super().on_message_complete()
        else:
            self._held = None
            self.transport.write(answer)
            self.on_response_complete()  # the connection is left as it is after any other

    def _find_shortcut(self) -> Shortcut | None:
        """What may answer the request whose head is there; None: it is a call of the application."""
        if self._gateway is None or self.url != ADDRESS or self.expect_100_continue or self.flow.write_paused:
            return None
        if self.begun > MOST_IN_A_ROW:
            return None
        parser = self.parser
        if parser.get_method() != b"POST" or parser.should_upgrade() or not parser.should_keep_alive():
            return None
        if parser.get_http_version() != "1.1" or self.limit_concurrency is not None or self.root_path:
            return None
        is_free = self.cycle is None or self.cycle.response_complete  # else it waits for the answer before its own
        return self._gateway.shortcut if is_free and not self.pipeline else None

    def _call(self) -> None:
        """Makes what was held back a call of the application."""
        body, self._held = self._held, None
        super().on_headers_complete()
        if body:
            super().on_body(bytes(body))


def _find_gateway(app: Any) -> Gateway | None:
    """The gateway within what uvicorn has put around it."""
    while app is not None and not isinstance(app, Gateway):
        app = getattr(app, "app", None)
    return app
