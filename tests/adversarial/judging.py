"""What no answer may be, whatever was asked."""

import re
from typing import Any

from app.domain.errors import ErrorCode
from app.graphql.faults import FaultCode
from tests.web.test_nothing_internal import INTERNAL

MORE_INTERNAL = re.compile(
    r"asyncpg|psycopg|uvicorn|orjson|pydantic|dist-packages|has no attribute|invalid literal|codec can't|recursion|"
    r"4300|not JSON serializable|<class|<function|\bself\b|__init__|/work/|/home/|/tmp/|/usr/",
    re.IGNORECASE,
)
CODES = {*FaultCode, *ErrorCode} - {FaultCode.INTERNAL_SERVER_ERROR}


def find_leaks(told: str, sent: str = "") -> set[str]:
    """Words of the inside in what was told; what the client wrote itself is no leak."""
    found = {match[0] for pattern in (INTERNAL, MORE_INTERNAL) for match in pattern.finditer(told)}
    # "Subscription must select only one top level field" is the specification's own word.
    return {word for word in found if word.lower() not in sent.lower() and word != "select "}


def find_faults(answer: Any, sent: str = "") -> list[str]:
    """What is wrong with a GraphQL answer: of no known shape, an undeclared error, a word of the inside."""
    if not isinstance(answer, dict) or not set(answer) <= {"data", "errors", "extensions"}:
        return [f"no GraphQL answer: {str(answer)[:200]}"]
    errors = answer.get("errors", [])
    if not isinstance(errors, list) or ("errors" in answer and not errors) or ("data" not in answer and not errors):
        return [f"no GraphQL answer: {str(answer)[:200]}"]
    found = []
    for error in errors:
        code = error.get("extensions", {}).get("code")
        if code not in CODES or not isinstance(error.get("message"), str) or not error["message"]:
            found.append(f"an undeclared error: {str(error)[:300]}")
    leaks = find_leaks(" ".join(str(error.get("message")) for error in errors), sent)
    return found + [f"a word of the inside: {leak}" for leak in sorted(leaks)]
