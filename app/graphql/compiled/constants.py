"""What may be made once and handed out again and again: nobody can change it."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from graphql.pyutils import Undefined

PLAIN = frozenset({str, int, float, bool, bytes, datetime, date, time, timedelta, Decimal, UUID, type(None)})


def is_constant(value: Any) -> bool:
    """Whether nobody can change a value."""
    return value.__class__ in PLAIN or isinstance(value, Enum) or value is Undefined
