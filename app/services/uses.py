"""When tokens were used last, written down beside the requests: no caller waits for a writer, or fails with one."""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime

from app.db.unit_of_work import Database
from app.domain.tokens import USE_PRECISION, TokenRecord
from app.telemetry import log


class Uses:
    """The uses that this process has noted, each known here at once and in the database soon after."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._noted: dict[str, datetime] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def recall(self, token: TokenRecord) -> TokenRecord:
        """A token with its last use, the database's or our own, whichever is later."""
        known = [at for at in (token.last_used_at, self._noted.get(token.id)) if at is not None]
        return replace(token, last_used_at=max(known, default=None))

    def is_worth_noting(self, token: TokenRecord, at: datetime) -> bool:
        """Whether a use is to be noted, by the last one that is known."""
        noted = self._noted.get(token.id)
        return token.is_worth_noting(at) and (noted is None or at - noted >= USE_PRECISION)

    def note(self, token: str, at: datetime) -> None:
        """Notes that a token was used."""
        self._noted[token] = at
        task = asyncio.create_task(self._write(token, at))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, token: str, at: datetime) -> None:
        try:
            async with self.database.writing() as unit:
                await unit.tokens.note_use(token, at)
        except Exception as error:  # a use that is not noted harms nobody; the next is in an hour
            log("the use of a token was not noted", level=logging.WARNING, exception=error, token=token)

    async def finish(self) -> None:
        """Waits until everything noted is written."""
        await asyncio.gather(*self._writing)
