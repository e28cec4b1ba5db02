"""Structured logs: one JSON object a line, never a secret, never variables of a request."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

logger = logging.getLogger("permgate")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: what came from outside cannot begin a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        content: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        content |= getattr(record, "fields", {})
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return json.dumps(content, ensure_ascii=False, default=str)


def set_up_logging(level: int = logging.INFO) -> None:
    """Sends the gateway's log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False


def log(event: str, *, level: int = logging.INFO, exception: BaseException | None = None, **content: object) -> None:
    """One event with its fields."""
    logger.log(level, event, extra={"fields": content}, exc_info=exception)
