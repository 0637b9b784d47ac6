"""The journal in SQLite: one row per request, and sums over them."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gateway.state import COLUMNS
from gateway.state.rows import checked_groups, checked_row
from gateway.state.sqlite.database import Database

_BRIEF = ", ".join(column for column in COLUMNS if column != "detail")
_SUMS = (
    "count(*) AS requests, coalesce(sum(input_tokens), 0) AS input_tokens, "
    "coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens, "
    "sum(cost_nano) AS cost_nano"
)
_OF_TENANT = "(:tenant IS NULL OR tenant = :tenant)"


class SqliteJournal:
    """`gateway.state.Journal` over one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, row: Mapping[str, Any]) -> None:
        await self._database.write(partial(_write, row=checked_row(row)))

    async def read(self, request_id: str) -> dict[str, Any] | None:
        return await self._database.read(partial(_read, request_id=request_id))

    async def latest(self, limit: int, tenant: str | None = None) -> list[dict[str, Any]]:
        return await self._database.read(partial(_latest, limit=limit, tenant=tenant))

    async def usage(
        self, by: Sequence[str], since: float, until: float, tenant: str | None = None
    ) -> list[dict[str, Any]]:
        groups = checked_groups(by)
        return await self._database.read(partial(_usage, by=groups, since=since, until=until, tenant=tenant))


def _write(db: sqlite3.Connection, row: dict[str, Any]) -> None:
    places = ", ".join(f":{column}" for column in COLUMNS)
    db.execute(f"INSERT INTO journal ({', '.join(COLUMNS)}) VALUES ({places}) ON CONFLICT (request_id) DO NOTHING", row)


def _read(db: sqlite3.Connection, request_id: str) -> dict[str, Any] | None:
    row = db.execute("SELECT * FROM journal WHERE request_id = ?", (request_id,)).fetchone()
    return dict(row) if row else None


def _latest(db: sqlite3.Connection, limit: int, tenant: str | None) -> list[dict[str, Any]]:
    where = "" if tenant is None else "WHERE tenant = :tenant"
    rows = db.execute(
        f"SELECT {_BRIEF} FROM journal {where} ORDER BY at DESC, request_id DESC LIMIT :limit",
        {"tenant": tenant, "limit": limit},
    )
    return [dict(row) for row in rows]


def _usage(
    db: sqlite3.Connection, by: tuple[str, ...], since: float, until: float, tenant: str | None
) -> list[dict[str, Any]]:
    """Group names come from GROUPS, never from a caller's text: they are put into the statement."""
    names = ["date(CAST(at AS INTEGER), 'unixepoch') AS day" if group == "day" else group for group in by]
    order = ", ".join(by)
    rows = db.execute(
        f"SELECT {', '.join([*names, _SUMS])} FROM journal WHERE at >= :since AND at < :until AND {_OF_TENANT} "
        + (f"GROUP BY {order} ORDER BY {order}" if by else "HAVING count(*) > 0"),
        {"since": since, "until": until, "tenant": tenant},
    )
    return [dict(row) for row in rows]
