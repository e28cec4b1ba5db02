"""Gateway tokens: of a secret the digest alone is ever kept."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from app.db import tables
from app.db.repositories.reading import Reader
from app.domain.tokens import TokenRecord

TOKENS = tables.table_of(tables.TokenRow)


class Tokens:
    """Tokens by digest, by id, and of people."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def find_by_digest(self, digest: str) -> TokenRecord | None:
        rows = await self.reader.rows(select(TOKENS).where(TOKENS.c.digest == digest))
        return _read(rows[0]) if rows else None

    async def find(self, token: str) -> TokenRecord | None:
        rows = await self.reader.rows(select(TOKENS).where(TOKENS.c.id == token))
        return _read(rows[0]) if rows else None

    async def find_of(self, users: Iterable[str]) -> Sequence[TokenRecord]:
        """The tokens of these people that are not revoked, oldest first."""
        condition = TOKENS.c.user.in_(sorted(set(users))) & TOKENS.c.revoked_at.is_(None)
        statement = select(TOKENS).where(condition).order_by(TOKENS.c.created_at, TOKENS.c.id)
        return [_read(row) for row in await self.reader.rows(statement)]

    async def add(self, token: TokenRecord) -> None:
        columns = {name: getattr(token, name) for name in TokenRecord.__slots__}
        await self.reader.connection.execute(tables.table_of(tables.IdentityRow).insert().values(id=token.id))
        await self.reader.connection.execute(TOKENS.insert().values(**columns))

    async def note_use(self, token: str, at: datetime) -> None:
        await self.reader.connection.execute(update(TOKENS).where(TOKENS.c.id == token).values(last_used_at=at))

    async def revoke(self, token: str, at: datetime) -> None:
        statement = update(TOKENS).where(TOKENS.c.id == token, TOKENS.c.revoked_at.is_(None)).values(revoked_at=at)
        await self.reader.connection.execute(statement)


def _read(row: Any) -> TokenRecord:
    return TokenRecord(**{name: row[name] for name in TokenRecord.__slots__})
