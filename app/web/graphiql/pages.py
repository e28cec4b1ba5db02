"""The page of the IDE and its files.

GraphiQL 4 and React 18 are vendored as their npm packages ship them (`vendor/`, with their licences), so that the IDE
works offline and on a machine without Node: see docs/decisions.
"""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

FOLDER = Path(__file__).parent
FILES = {
    "react.js": FOLDER / "vendor" / "react.production.min.js",
    "react-dom.js": FOLDER / "vendor" / "react-dom.production.min.js",
    "graphiql.js": FOLDER / "vendor" / "graphiql.min.js",
    "graphiql.css": FOLDER / "vendor" / "graphiql.min.css",
    "tour.js": FOLDER / "tour.js",
    "page.js": FOLDER / "page.js",
    "page.css": FOLDER / "page.css",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)  # the editor writes style attributes; scripts come from us alone
HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


def graphiql_routes() -> list[BaseRoute]:
    """The page, and its files under names that change with their content."""
    names = {name: f"{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.{name}" for name, path in FILES.items()}
    by_name = {hashed: FILES[name] for name, hashed in names.items()}
    page = (FOLDER / "page.html").read_text("utf-8")
    for name, hashed in names.items():
        page = page.replace(f"{{{name}}}", f"/graphiql/{hashed}")

    async def show_page(_request: Request) -> Response:
        return HTMLResponse(page, headers={"content-security-policy": POLICY, "cache-control": "no-store", **HEADERS})

    async def show_file(request: Request) -> Response:
        path = by_name.get(request.path_params["name"])
        if path is None:
            return Response(status_code=404)
        return FileResponse(path, headers={"cache-control": "public, max-age=31536000, immutable", **HEADERS})

    return [Route("/graphiql", show_page, methods=["GET"]), Route("/graphiql/{name}", show_file, methods=["GET"])]
