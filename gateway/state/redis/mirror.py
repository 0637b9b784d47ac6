"""A machine's copy of the directory, in the tables of its own file: what is read while Redis is away, and what a lost
directory is restored from.

Knows the file, not Redis. Invariant: a copy is never behind its `Position`: both are written in one transaction.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial

from gateway.state import Change, Key
from gateway.state.limits import dump_limits
from gateway.state.redis.records import Dated, Record, order
from gateway.state.scopes import dump_scopes
from gateway.state.sqlite import meta
from gateway.state.sqlite.database import Database
from gateway.state.sqlite.keys import SqliteKeys

_NAME = "directory"
_ALL = 2**62  # rows
_LIMITING = ("tenant.create", "tenant.limits")

_TENANT = """INSERT INTO tenants (name, limits, created, zone) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET limits = excluded.limits"""
_KEY = """INSERT INTO keys (id, tenant, digest, limits, created, expires, revoked, label, scopes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, revoked = excluded.revoked"""
_CHANGE = """INSERT INTO audit (at, "by", action, subject, detail) SELECT ?1, ?2, ?3, ?4, ?5
    WHERE NOT EXISTS (SELECT 1 FROM audit WHERE subject = ?4 AND at = ?1 AND action = ?3 AND "by" = ?2)"""


@dataclass(frozen=True, slots=True)
class Position:
    """Up to which version of which directory the copy is complete."""

    directory: str = ""
    version: int = 0


class Mirror:
    """The copy; `keys` reads it."""

    def __init__(self, database: Database, keys: SqliteKeys) -> None:
        self._database, self.keys = database, keys

    async def position(self) -> Position:
        return await self._database.read(_position)

    async def store(self, records: Iterable[Record], kept: Position, position: Position) -> None:
        """Replace these records and move from position `kept`; no-op when another process of the machine has."""
        work = partial(_store, records=sorted(records, key=order), kept=kept, position=position)
        await self._database.write(work)

    async def records(self) -> list[Record]:
        """The whole copy, the audit's rows oldest first."""
        changes = (await self.keys.changes(_ALL))[::-1]
        changed = {change.subject: change.at for change in sorted(changes, key=_at) if change.action in _LIMITING}
        tenants = [Dated(tenant, changed.get(tenant.name, tenant.created)) for tenant in await self.keys.tenants()]
        keys = [key for dated in tenants for key in await self.keys.keys(dated.tenant.name)]
        return [*tenants, *keys, *changes]


def _at(change: Change) -> float:
    return change.at


def _position(db: sqlite3.Connection) -> Position:
    return Position(**json.loads(meta.read(db, _NAME) or "{}"))


def _store(db: sqlite3.Connection, records: Iterable[Record], kept: Position, position: Position) -> None:
    if _position(db) != kept:
        return
    for record in records:
        match record:
            case Dated():
                tenant = record.tenant
                db.execute(_TENANT, (tenant.name, dump_limits(tenant.limits), tenant.created, tenant.zone))
            case Key():
                db.execute(_KEY, _key_row(record))
            case Change():
                detail = json.dumps(record.detail)
                db.execute(_CHANGE, (record.at, record.by, record.action, record.subject, detail))
    meta.write(db, _NAME, json.dumps(asdict(position)))


def _key_row(key: Key) -> tuple[object, ...]:
    texts = dump_limits(key.limits), dump_scopes(key.scopes)
    return (key.id, key.tenant, key.digest, texts[0], key.created, key.expires, key.revoked, key.label, texts[1])
