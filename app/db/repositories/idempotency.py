"""Idempotency keys: the first answer to each key of each caller, for a bounded time."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, or_, select

from app.db import tables
from app.db.repositories.reading import Reader

KEYS = tables.table_of(tables.IdempotencyRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What a key was used for, and the answer as plain data."""

    action: str
    fingerprint: str
    answer: dict[str, Any]


class Idempotency:
    """Answers by caller and key."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def find(self, caller: str, key: str, *, since: datetime) -> KeptAnswer | None:
        """The answer kept for a key; None for a new one, and for one that is older than what is kept."""
        statement = select(KEYS).where(KEYS.c.caller == caller, KEYS.c.key == key, KEYS.c.at >= since)
        rows = await self.reader.rows(statement)
        if not rows:
            return None
        row = rows[0]
        return KeptAnswer(action=row["action"], fingerprint=row["fingerprint"], answer=json.loads(row["answer"]))

    async def keep(self, caller: str, key: str, kept: KeptAnswer, *, at: datetime, since: datetime) -> None:
        """Keeps an answer in the transaction of its change, in place of what the key stood for before, if anything.

        Keys older than `since` make room.
        """
        same = and_(KEYS.c.caller == caller, KEYS.c.key == key)
        await self.reader.connection.execute(delete(KEYS).where(or_(KEYS.c.at < since, same)))
        columns = {
            "caller": caller, "key": key, "action": kept.action, "fingerprint": kept.fingerprint,
            "answer": json.dumps(kept.answer, ensure_ascii=False), "at": at,
        }  # fmt: skip
        await self.reader.connection.execute(KEYS.insert().values(**columns))
