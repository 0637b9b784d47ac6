"""Tenants, keys and the audit of their changes in SQLite. The digest of a secret comes in and goes out; no secret is
ever seen here. Each function below runs in one transaction: a change and its audit row are one step."""

import json
import sqlite3
from collections.abc import Sequence
from functools import partial

from gateway.state import Change, Clock, Key, Limit, Tenant
from gateway.state.audit import key_created, key_expired, key_revoked, tenant_created, tenant_limited
from gateway.state.limits import dump_limits, load_limits
from gateway.state.scopes import dump_scopes, load_scopes
from gateway.state.sqlite.database import Database

_ADD_KEY = "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"


class SqliteKeys:
    """`gateway.state.Keys` over one file. The clock says when a change was made."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def add_tenant(self, tenant: Tenant, by: str = "") -> bool:
        change = tenant_created(tenant, self._clock.now(), by)
        return await self._database.write(partial(_add_tenant, tenant=tenant, change=change))

    async def set_limits(self, name: str, limits: Sequence[Limit], by: str = "") -> bool:
        change = tenant_limited(name, limits, self._clock.now(), by)
        return await self._database.write(partial(_set_limits, name=name, limits=limits, change=change))

    async def tenant(self, name: str) -> Tenant | None:
        return await self._database.read(partial(_tenant, name=name))

    async def tenants(self) -> list[Tenant]:
        return await self._database.read(_tenants)

    async def add_key(self, key: Key, by: str = "") -> None:
        change = key_created(key, self._clock.now(), by)
        await self._database.write(partial(_add_key, key=key, change=change))

    async def find(self, key_id: str) -> tuple[Key, Tenant] | None:
        return await self._database.read(partial(_find, key_id=key_id))

    async def keys(self, tenant: str) -> list[Key]:
        return await self._database.read(partial(_keys, tenant=tenant))

    async def expire(self, key_id: str, at: float, by: str = "") -> bool:
        change = key_expired(key_id, at, self._clock.now(), by)
        return await self._database.write(partial(_expire, key_id=key_id, at=at, change=change))

    async def revoke(self, key_id: str, at: float, by: str = "") -> bool:
        change = key_revoked(key_id, at, self._clock.now(), by)
        return await self._database.write(partial(_revoke, key_id=key_id, at=at, change=change))

    async def changes(self, limit: int, subject: str | None = None) -> list[Change]:
        return await self._database.read(partial(_changes, limit=limit, subject=subject))


def _add_tenant(db: sqlite3.Connection, tenant: Tenant, change: Change) -> bool:
    row = (tenant.name, dump_limits(tenant.limits), tenant.created, tenant.zone)
    added = db.execute("INSERT INTO tenants VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row)
    return _noted(db, added, change)


def _set_limits(db: sqlite3.Connection, name: str, limits: Sequence[Limit], change: Change) -> bool:
    changed = db.execute("UPDATE tenants SET limits = ? WHERE name = ?", (dump_limits(limits), name))
    return _noted(db, changed, change)


def _tenant(db: sqlite3.Connection, name: str) -> Tenant | None:
    row = db.execute("SELECT * FROM tenants WHERE name = ?", (name,)).fetchone()
    return _as_tenant(row) if row else None


def _tenants(db: sqlite3.Connection) -> list[Tenant]:
    return [_as_tenant(row) for row in db.execute("SELECT * FROM tenants ORDER BY name")]


def _add_key(db: sqlite3.Connection, key: Key, change: Change) -> None:
    if _tenant(db, key.tenant) is None:
        raise ValueError(f"there is no tenant {key.tenant!r}: create it first")
    times = key.created, key.expires, key.revoked
    row = (key.id, key.tenant, key.digest, dump_limits(key.limits), *times, key.label, dump_scopes(key.scopes))
    if not _noted(db, db.execute(_ADD_KEY, row), change):
        raise ValueError(f"the key id {key.id!r} is taken")


def _find(db: sqlite3.Connection, key_id: str) -> tuple[Key, Tenant] | None:
    row = db.execute("SELECT * FROM keys WHERE id = ?", (key_id,)).fetchone()
    tenant = _tenant(db, row["tenant"]) if row else None
    return (_as_key(row), tenant) if tenant else None


def _keys(db: sqlite3.Connection, tenant: str) -> list[Key]:
    rows = db.execute("SELECT * FROM keys WHERE tenant = ? ORDER BY created, id", (tenant,))
    return [_as_key(row) for row in rows]


def _expire(db: sqlite3.Connection, key_id: str, at: float, change: Change) -> bool:
    sooner = db.execute(
        "UPDATE keys SET expires = ?1 WHERE id = ?2 AND (expires IS NULL OR expires > ?1)", (at, key_id)
    )
    return _noted(db, sooner, change) or _exists(db, key_id)


def _revoke(db: sqlite3.Connection, key_id: str, at: float, change: Change) -> bool:
    first = db.execute("UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL", (at, key_id))
    return _noted(db, first, change) or _exists(db, key_id)


def _exists(db: sqlite3.Connection, key_id: str) -> bool:
    return db.execute("SELECT 1 FROM keys WHERE id = ?", (key_id,)).fetchone() is not None


def _noted(db: sqlite3.Connection, done: sqlite3.Cursor, change: Change) -> bool:
    """Whether the statement changed something; its audit row is written then."""
    if done.rowcount == 1:
        row = (change.at, change.by, change.action, change.subject, json.dumps(change.detail))
        db.execute('INSERT INTO audit (at, "by", action, subject, detail) VALUES (?, ?, ?, ?, ?)', row)
    return done.rowcount == 1


def _changes(db: sqlite3.Connection, limit: int, subject: str | None) -> list[Change]:
    where = "" if subject is None else "WHERE subject = :subject"
    rows = db.execute(
        f"SELECT * FROM audit {where} ORDER BY number DESC LIMIT :limit", {"subject": subject, "limit": limit}
    )
    return [Change(row["at"], row["by"], row["action"], row["subject"], json.loads(row["detail"])) for row in rows]


def _as_tenant(row: sqlite3.Row) -> Tenant:
    return Tenant(row["name"], load_limits(row["limits"]), row["created"], row["zone"])


def _as_key(row: sqlite3.Row) -> Key:
    times = row["created"], row["expires"], row["revoked"]
    limits, scopes = load_limits(row["limits"]), load_scopes(row["scopes"])
    return Key(row["id"], row["tenant"], row["digest"], limits, *times, row["label"], scopes)
