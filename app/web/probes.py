"""Whether the gateway is alive, whether it is ready, and its metrics. None of it asks who is asking.

Being alive never hangs on the database: an outage of that must not have every process started anew.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from app.services.context import Services
from app.services.health import Health, check_health
from app.telemetry.metrics import render_metrics
from app.web.lifecycle import Lifecycle

READY_TIMEOUT_S = 1.0  # a database that takes longer serves nobody


class Readiness:
    """`/readyz`: the database is asked by one question at a time, however many want to know."""

    def __init__(self, services: Services, lifecycle: Lifecycle) -> None:
        self.services = services
        self.lifecycle = lifecycle
        self._asking: asyncio.Task[Health] | None = None

    async def __call__(self, _request: Request) -> Response:
        if self.lifecycle.draining:
            return _say_not_ready("draining: this process is about to end")
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(check_health(self.services))
        # A question that hangs is left to itself: to call it off is to wait for the database as well.
        await asyncio.wait([self._asking], timeout=READY_TIMEOUT_S)
        if not self._asking.done() or self._asking.exception() is not None:
            return _say_not_ready("the database does not answer")
        health = self._asking.result()
        if health.problem is not None:
            return _say_not_ready(health.problem)
        return PlainTextResponse(f"ready at revision {health.revision}\n")


def _say_not_ready(why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=503)


async def show_alive(_request: Request) -> Response:
    """The event loop turns; the database is not asked."""
    return PlainTextResponse("alive\n")


async def show_metrics(_request: Request) -> Response:
    """The figures of all workers."""
    content, media_type = await asyncio.to_thread(render_metrics)
    return Response(content, media_type=media_type)


def probe_routes(services: Services, lifecycle: Lifecycle, *, metrics: bool) -> list[BaseRoute]:
    """The addresses of the probes; without `/metrics` where that has a port of its own."""
    routes: list[BaseRoute] = [
        Route("/livez", show_alive, methods=["GET"]),
        Route("/readyz", Readiness(services, lifecycle).__call__, methods=["GET"]),
    ]
    return routes + ([Route("/metrics", show_metrics, methods=["GET"])] if metrics else [])
