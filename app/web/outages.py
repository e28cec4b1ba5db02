"""What a door answers where the database failed: to the whole of a request, or for all that it was to show."""

from typing import Any

from starlette.responses import Response

from app.domain.outages import Outage, UndecidedCommit
from app.graphql.faults import RETRY_S, FaultCode, log_outage, read_outage
from app.web.protocol import JSON, write_answer

LATER = {"retry-after": str(RETRY_S)}


def write_outage(outage: Outage, media_type: str = JSON) -> Response:
    """The answer to a request of which nothing could be run, or of which nobody knows what became."""
    log_outage(outage)
    answer = {"errors": [read_outage(outage).formatted]}
    status = status_of(outage)
    return write_answer(answer, media_type, status=status, headers=LATER if status == 503 else None)


def status_of(outage: Outage) -> int:
    """500 where nobody knows what was done: what asks anew by itself on 503 should know of idempotency keys."""
    return 500 if isinstance(outage, UndecidedCommit) else 503


def find_status(answer: dict[str, Any]) -> int:
    """The status of an answer that was run: that of an outage where it shows nothing and tells of nothing else."""
    errors = answer.get("errors", ())
    if not errors or any(value is not None for value in (answer["data"] or {}).values()):
        return 200
    found = [error.get("extensions", {}) for error in errors]
    if any("outcome" in extensions for extensions in found):
        return 500
    return 503 if all(one.get("code") == FaultCode.SERVICE_UNAVAILABLE for one in found) else 200
