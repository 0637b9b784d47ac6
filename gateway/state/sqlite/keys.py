"""Tenants and keys in SQLite. The digest of a secret comes in and goes out; no secret is ever seen here."""

import sqlite3
from functools import partial

from gateway.state import Key, Tenant
from gateway.state.limits import dump_limits, load_limits
from gateway.state.sqlite.database import Database


class SqliteKeys:
    """`gateway.state.Keys` over one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_tenant(self, tenant: Tenant) -> bool:
        return await self._database.write(partial(_add_tenant, tenant=tenant))

    async def tenant(self, name: str) -> Tenant | None:
        return await self._database.read(partial(_tenant, name=name))

    async def tenants(self) -> list[Tenant]:
        return await self._database.read(_tenants)

    async def add_key(self, key: Key) -> None:
        await self._database.write(partial(_add_key, key=key))

    async def find(self, key_id: str) -> tuple[Key, Tenant] | None:
        return await self._database.read(partial(_find, key_id=key_id))

    async def keys(self, tenant: str) -> list[Key]:
        return await self._database.read(partial(_keys, tenant=tenant))

    async def revoke(self, key_id: str, at: float) -> bool:
        return await self._database.write(partial(_revoke, key_id=key_id, at=at))


def _add_tenant(db: sqlite3.Connection, tenant: Tenant) -> bool:
    row = (tenant.name, dump_limits(tenant.limits), tenant.created)
    return db.execute("INSERT INTO tenants VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row).rowcount == 1


def _tenant(db: sqlite3.Connection, name: str) -> Tenant | None:
    row = db.execute("SELECT * FROM tenants WHERE name = ?", (name,)).fetchone()
    return _as_tenant(row) if row else None


def _tenants(db: sqlite3.Connection) -> list[Tenant]:
    return [_as_tenant(row) for row in db.execute("SELECT * FROM tenants ORDER BY name")]


def _add_key(db: sqlite3.Connection, key: Key) -> None:
    row = (key.id, key.tenant, key.digest, dump_limits(key.limits), key.created, key.expires, key.revoked)
    if _tenant(db, key.tenant) is None:
        raise ValueError(f"there is no tenant {key.tenant!r}: create it first")
    if db.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row).rowcount == 0:
        raise ValueError(f"the key id {key.id!r} is taken")


def _find(db: sqlite3.Connection, key_id: str) -> tuple[Key, Tenant] | None:
    row = db.execute("SELECT * FROM keys WHERE id = ?", (key_id,)).fetchone()
    tenant = _tenant(db, row["tenant"]) if row else None
    return (_as_key(row), tenant) if tenant else None


def _keys(db: sqlite3.Connection, tenant: str) -> list[Key]:
    rows = db.execute("SELECT * FROM keys WHERE tenant = ? ORDER BY created, id", (tenant,))
    return [_as_key(row) for row in rows]


def _revoke(db: sqlite3.Connection, key_id: str, at: float) -> bool:
    changed = db.execute("UPDATE keys SET revoked = coalesce(revoked, ?) WHERE id = ?", (at, key_id))
    return changed.rowcount == 1


def _as_tenant(row: sqlite3.Row) -> Tenant:
    return Tenant(row["name"], load_limits(row["limits"]), row["created"])


def _as_key(row: sqlite3.Row) -> Key:
    limits = load_limits(row["limits"])
    return Key(row["id"], row["tenant"], row["digest"], limits, row["created"], row["expires"], row["revoked"])
