"""What the gateway is measured against over HTTP, each served as it is itself: uvicorn, its settings, one core.

`bare`: an ASGI endpoint that reads the same JSON and asks the same index, and does nothing else: no GraphQL, nobody who
is looked up, no limits, no log. It is as fast as a Python server with this index can be.

`strawberry`: Strawberry's own view over our schema, our resolvers, services and index, with its caches for parsing and
validation. It looks up the caller, as it would have to.

    python -m benchmarks.peers bare|strawberry --port 8000      # over PERMGATE_DATABASE_URL
"""

import argparse
import asyncio
import os
from typing import Any

import orjson
import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache

from app.cli.commands import bound_server
from app.graphql.context import Operation
from app.graphql.schema import build_schema
from app.main import open_services, settle_memory
from app.services.context import Services
from app.settings import read_settings
from app.web.authentication import authenticate_request


def make_bare(services: Services) -> ASGIApp:
    """The endpoint without anything around the question."""
    number_of = services.catalog.number_of

    async def ask(_scope: Scope, receive: Receive, send: Send) -> None:
        asked = orjson.loads((await receive())["body"])["variables"]
        index = services.index.current()
        assert index is not None, "the index is not the latest"
        user = index.people.find("user_name", asked["user"])
        allowed = user is not None and index.allows(user, number_of[asked["node"]], services.clock())
        body = orjson.dumps({"data": {"check": {"allowed": allowed}}})
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return ask


class View(GraphQL[Operation, None]):
    """Strawberry's view; each operation has its caller, and ends with what it has opened."""

    def __init__(self, services: Services) -> None:
        schema = build_schema()
        schema.extensions = (lambda: ParserCache(maxsize=512), lambda: ValidationCache(maxsize=512))
        super().__init__(schema)
        self.services = services

    async def get_context(self, request: Any, response: Any) -> Operation:
        assert isinstance(request, Request)
        caller = await authenticate_request(self.services, request)
        return Operation(self.services, caller, may_index=True)

    async def execute_operation(self, *given: Any, **named: Any) -> Any:
        try:
            return await super().execute_operation(*given, **named)
        finally:
            await named["context"].end()


async def serve(name: str, port: int) -> None:
    settings = read_settings(os.environ)
    services = await open_services(settings)
    await services.index.start()
    app = make_bare(services) if name == "bare" else View(services)
    settle_memory()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, lifespan="off", **bound_server(settings))
    await uvicorn.Server(config).serve()
    await services.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("name", choices=["bare", "strawberry"])
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    config = uvicorn.Config("", loop="auto")
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(serve(options.name, options.port))


if __name__ == "__main__":
    main()
