"""The short way to GraphQL: a POST to its address does not pass through Starlette's router.

What is a usual question is answered by the short cut. Whatever else comes this way is observed as everything is, and
answered by the very endpoint that the router would have found: there is one of it. What is left out is finding it.
"""

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from app.web.lifecycle import Lifecycle
from app.web.middleware import Observation
from app.web.routes import GRAPHQL, GraphQLEndpoint
from app.web.shortcut import Shortcut

SHOWN = "permgate.shown"  # in the state of a request: the short cut has seen it, and left it to others


class Gateway(Starlette):
    """The application. Its addresses may come later, once there are services to answer there: `add_routes`."""

    def __init__(self, lifecycle: Lifecycle, routes: Sequence[BaseRoute] = (), **more: Any) -> None:
        super().__init__(middleware=[Middleware(Observation, lifecycle=lifecycle)], **more)
        self.router.redirect_slashes = False  # it would send clients to whatever host they named
        self.lifecycle = lifecycle
        self.shortcut: Shortcut | None = None
        """What answers usual questions, here and for whoever has one in hand before it is a call of the application."""
        self.add_routes(routes)

    def add_routes(self, routes: Sequence[BaseRoute]) -> None:
        """Adds addresses, and the short way to GraphQL if that is among them."""
        self.router.routes += routes
        for route in routes:
            if isinstance(route, Route) and isinstance(route.endpoint, GraphQLEndpoint):
                observed = Observation(route.endpoint, self.lifecycle)
                self.shortcut = Shortcut(route.endpoint, self.lifecycle, observed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            self.shortcut is not None
            and scope["type"] == "http"
            and scope["path"] == GRAPHQL
            and scope["method"] == "POST"
            and not scope.get("root_path")
        ):
            is_shown = SHOWN in scope.get("state", ())
            await (self.shortcut.otherwise if is_shown else self.shortcut)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
