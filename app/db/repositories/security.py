"""The security log: refused attempts to raise rights, apart from the audit chain, which tells of changes alone."""

import json
from collections.abc import Sequence

from sqlalchemy import select

from app.db import tables
from app.db.repositories.reading import Reader
from app.domain.security import SecurityEvent

EVENTS = tables.table_of(tables.SecurityEventRow)


class SecurityLog:
    """Refused attempts, oldest first."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def add(self, event: SecurityEvent) -> None:
        columns = {
            "at": event.at, "actor": event.actor, "actor_id": event.actor_id, "token": event.token,
            "action": event.action, "refusals": json.dumps(event.refusals, ensure_ascii=False),
        }  # fmt: skip
        await self.reader.connection.execute(EVENTS.insert().values(**columns))

    async def read(self, *, limit: int) -> Sequence[SecurityEvent]:
        """The latest events, newest first."""
        rows = await self.reader.rows(select(EVENTS).order_by(EVENTS.c.number.desc()).limit(limit))
        return [
            SecurityEvent(
                at=row["at"], actor=row["actor"], actor_id=row["actor_id"], token=row["token"], action=row["action"],
                refusals=tuple((code, message) for code, message in json.loads(row["refusals"])),
            )
            for row in rows
        ]  # fmt: skip
