"""Requests and answers on the wire: media types, bodies, parameters, entity tags."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.web.protocol import JSON, ProtocolFault, read_object
from app.web.scim.faults import ScimFault

SCIM = "application/scim+json"
ROOT = "/scim/v2"


def choose_media_type(accept: str | None) -> str:
    """SCIM's own media type, or plain JSON for who names that alone; whatever else is asked for gets SCIM's."""
    named = {item.split(";")[0].strip().lower() for item in (accept or "").split(",")}
    return JSON if JSON in named and SCIM not in named else SCIM


def read_content(request: Request, body: bytes) -> dict[str, Any]:
    """The JSON object that a request carries, whose body has come. Raises `ScimFault`."""
    name, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    if name not in {SCIM, JSON}:
        raise ScimFault(415, f"send the request as {SCIM} or {JSON}")
    if any(one.startswith("charset=") and one[8:].strip('"') not in {"utf-8", "utf8"} for one in parameters):
        raise ScimFault(415, "send the request in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ScimFault(415, "send the request uncompressed")
    try:
        return read_object(body.decode("utf-8"))
    except (UnicodeDecodeError, ProtocolFault) as fault:
        told = fault.message.replace("message", "body") if isinstance(fault, ProtocolFault) else "the body is not UTF-8"
        raise ScimFault(400, told, "invalidSyntax") from None


def read_parameters(request: Request) -> dict[str, str]:
    """The parameters of the query string, each given once. Raises `ScimFault`."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in found:
            raise ScimFault(400, f"`{name[:40]}` is given twice", "invalidValue")
        found[name] = value
    return found


def write_json(
    content: object, media_type: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that nobody keeps."""
    fixed = {"cache-control": "no-store", "x-content-type-options": "nosniff", "vary": "accept"}
    return Response(
        orjson.dumps(content), status_code=status, media_type=f"{media_type}; charset=utf-8",
        headers={**fixed, **(headers or {})},
    )  # fmt: skip


def write_nothing(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """An answer without a body."""
    return Response(status_code=status, headers={"cache-control": "no-store", **(headers or {})})


# ---------------------------------------------------------------------- entity tags


def make_tag(content: object) -> str:
    """The weak entity tag of a resource: of what the caller sees of it, so that nothing else shows through."""
    digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f'W/"{digest[:24]}"'


def is_named(header: str | None, tag: str) -> bool:
    """Whether `If-Match` or `If-None-Match` names a tag; weak comparison, `*` names any."""
    listed = [one.strip() for one in (header or "").split(",")]
    return "*" in listed or tag.removeprefix("W/") in {one.removeprefix("W/") for one in listed}


def check_match(request: Request, tag: str) -> None:
    """Raises `ScimFault` (412) where a request is for another version of the resource than there is."""
    header = request.headers.get("if-match")
    if header is not None and not is_named(header, tag):
        raise ScimFault(412, f"the resource has changed: it is at {tag} now, read it again")
