"""The journal in SQLite: one row per request, and sums over them."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from gateway.state import COLUMNS
from gateway.state.rows import TAG, checked_groups, checked_row, days
from gateway.state.sqlite.database import Database

_ALL = ", ".join(COLUMNS)
_BRIEF = ", ".join(column for column in COLUMNS if column != "detail")
_INSERT = f"INSERT INTO journal ({_ALL}) VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT (request_id) DO NOTHING"
_SUMS = (
    "count(*) AS requests, coalesce(sum(input_tokens), 0) AS input_tokens, "
    "coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens, "
    "sum(cost_nano) AS cost_nano"
)
_JUDGED = "sum(requests) AS answers, min(first) AS first, coalesce(sum(output_tokens), 0) AS output_tokens"
_ASKED = "at >= :since AND at < :until AND (:tenant IS NULL OR tenant = :tenant)"
# SQLite has no histogram: an inner query groups by BUCKET too, the outer one makes LENGTHS of its groups.
BUCKET = "bucket(coalesce(output_tokens, 0)) AS bucket"
LENGTHS = "json_group_object(CAST(bucket AS TEXT), requests) AS lengths"
_TAG_VALUE = "(SELECT value FROM json_each(tags) WHERE json_each.key = :{})"


class SqliteJournal:
    """`gateway.state.Journal` over one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, row: Mapping[str, Any]) -> None:
        await self._database.write(partial(insert, row=checked_row(row)))

    async def read(self, request_id: str) -> dict[str, Any] | None:
        return await self._database.read(partial(_read, request_id=request_id))

    async def latest(self, limit: int, tenant: str | None = None) -> list[dict[str, Any]]:
        return await self._database.read(partial(_latest, limit=limit, tenant=tenant))

    async def usage(
        self, by: Sequence[str], since: float, until: float, tenant: str | None = None, zone: str = "UTC"
    ) -> list[dict[str, Any]]:
        asked = {"since": since, "until": until, "tenant": tenant}
        return await self._database.read(partial(_usage, by=checked_groups(by), asked=asked, day=days(zone)))

    async def judged(
        self, by: Sequence[str], since: float, until: float, tenant: str | None = None, zone: str = "UTC"
    ) -> list[dict[str, Any]]:
        asked = {"since": since, "until": until, "tenant": tenant}
        return await self._database.read(partial(_judged, by=checked_groups(by), asked=asked, day=days(zone)))


def insert(db: sqlite3.Connection, row: Mapping[str, Any]) -> None:
    """A row as `checked_row` makes it, inside a transaction of the caller's; a second one of its request is ignored."""
    db.execute(_INSERT, tuple(row.values()))


def _read(db: sqlite3.Connection, request_id: str) -> dict[str, Any] | None:
    row = db.execute(f"SELECT {_ALL} FROM journal WHERE request_id = ?", (request_id,)).fetchone()
    return dict(row) if row else None


def _latest(db: sqlite3.Connection, limit: int, tenant: str | None) -> list[dict[str, Any]]:
    where = "" if tenant is None else "WHERE tenant = :tenant"
    rows = db.execute(
        f"SELECT {_BRIEF} FROM journal {where} ORDER BY at DESC, request_id DESC LIMIT :limit",
        {"tenant": tenant, "limit": limit},
    )
    return [dict(row) for row in rows]


def _usage(
    db: sqlite3.Connection, by: tuple[str, ...], asked: Mapping[str, Any], day: Callable[[float], str]
) -> list[dict[str, Any]]:
    columns, order, values = _grouped(db, by, day)
    rows = db.execute(
        f"SELECT {', '.join([*columns, _SUMS])} FROM journal WHERE {_ASKED} "
        + (f"GROUP BY {', '.join(order)} ORDER BY {', '.join(order)}" if by else "HAVING count(*) > 0"),
        {**asked, **values},
    )
    return [dict(zip([*by, *row.keys()[len(by) :]], row, strict=True)) for row in rows]


def _judged(
    db: sqlite3.Connection, by: tuple[str, ...], asked: Mapping[str, Any], day: Callable[[float], str]
) -> list[dict[str, Any]]:
    columns, order, values = _grouped(db, by, day)
    groups = ", ".join([*order, "checks"])
    rows = db.execute(
        f"SELECT {groups}, {_JUDGED}, {LENGTHS} FROM (SELECT {', '.join([*columns, 'checks', BUCKET])}, "
        "count(*) AS requests, min(at) AS first, sum(output_tokens) AS output_tokens FROM journal "
        f"WHERE {_ASKED} AND checks IS NOT NULL GROUP BY {groups}, bucket) GROUP BY {groups} ORDER BY {groups}",
        {**asked, **values},
    )
    return [dict(zip([*by, *row.keys()[len(by) :]], row, strict=True)) | _lengths(row["lengths"]) for row in rows]


def _lengths(text: str) -> dict[str, dict[int, int]]:
    return {"lengths": {int(bucket): answers for bucket, answers in json.loads(text).items()}}


def _grouped(
    db: sqlite3.Connection, by: tuple[str, ...], day: Callable[[float], str]
) -> tuple[list[str], list[str], dict[str, str]]:
    """The groups' columns, the names they have there, and the values of their parameters."""
    db.create_function("day_of", 1, day)
    names = [f"g{number}" for number in range(len(by))]
    columns = [f"{_group(group, f'tag{number}')} AS g{number}" for number, group in enumerate(by)]
    return columns, names, {f"tag{number}": group.removeprefix(TAG) for number, group in enumerate(by)}


def _group(group: str, parameter: str) -> str:
    """The expression of a group. A tag's name is a parameter, never put into the statement."""
    match group:
        case "day":
            return "day_of(at)"
        case "tag":
            return "nullif(tags, '{}')"
        case _ if group.startswith(TAG):
            return _TAG_VALUE.format(parameter)
        case _:
            return group
