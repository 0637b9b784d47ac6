"""Tenants and keys over Redis: written to the shared directory, read from this machine's copy of it.

So every request's key is found without Redis, and while Redis is away; a key made elsewhere a moment ago is asked for
there. A revocation reaches the copies with the next `refresh`. Knows neither Lua nor SQL.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from gateway.state import Change, Clock, Key, Limit, StateUnavailable, Tenant
from gateway.state.audit import key_created, key_expired, key_revoked, tenant_created, tenant_limited
from gateway.state.redis.directory import Directory
from gateway.state.redis.records import Dated, Record, key_field, limited, merged_key, tenant_field
from gateway.state.sqlite.keys import SqliteKeys

R = TypeVar("R", Dated, Key)


class RedisKeys:
    """`gateway.state.Keys` over a directory and this machine's copy of it.

    `opened` is told of a new tenant, to have its counters everywhere before its first request waits for them.
    """

    def __init__(
        self, directory: Directory, copy: SqliteKeys, clock: Clock, opened: Callable[[str], Awaitable[None]]
    ) -> None:
        self._directory, self._copy, self._clock, self._opened = directory, copy, clock, opened

    async def refresh(self) -> None:
        """Copy what others changed; to be called a few times a second. Raises StateUnavailable."""
        await self._directory.sync()

    async def add_tenant(self, tenant: Tenant, by: str = "") -> bool:
        now = self._clock.now()
        added = await self._add(tenant_field(tenant.name), Dated(tenant, now), tenant_created(tenant, now, by))
        if added:
            with suppress(StateUnavailable):  # it is there; its first request sees to it then
                await self._opened(tenant.name)
        return added

    async def set_limits(self, name: str, limits: Sequence[Limit], by: str = "") -> bool:
        now = self._clock.now()
        why = tenant_limited(name, limits, now, by)
        return await self._update(tenant_field(name), Dated, lambda dated: limited(dated, limits, now), why)

    async def tenant(self, name: str) -> Tenant | None:
        await self._fresh()
        return await self._copy.tenant(name)

    async def tenants(self) -> list[Tenant]:
        await self._fresh()
        return await self._copy.tenants()

    async def add_key(self, key: Key, by: str = "") -> None:
        if await self._directory.read(tenant_field(key.tenant)) is None:  # tenants are never removed: it stays so
            raise ValueError(f"there is no tenant {key.tenant!r}: create it first")
        if not await self._add(key_field(key.id), key, key_created(key, self._clock.now(), by)):
            raise ValueError(f"the key id {key.id!r} is taken")

    async def find(self, key_id: str) -> tuple[Key, Tenant] | None:
        if found := await self._copy.find(key_id):
            return found
        key = await self._directory.read(key_field(key_id))
        dated = await self._directory.read(tenant_field(key.tenant)) if isinstance(key, Key) else None
        return (key, dated.tenant) if isinstance(key, Key) and isinstance(dated, Dated) else None

    async def keys(self, tenant: str) -> list[Key]:
        await self._fresh()
        return await self._copy.keys(tenant)

    async def expire(self, key_id: str, at: float, by: str = "") -> bool:
        why = key_expired(key_id, at, self._clock.now(), by)
        return await self._update(key_field(key_id), Key, lambda key: merged_key(key, replace(key, expires=at)), why)

    async def revoke(self, key_id: str, at: float, by: str = "") -> bool:
        why = key_revoked(key_id, at, self._clock.now(), by)
        return await self._update(
            key_field(key_id), Key, lambda key: replace(key, revoked=at) if key.revoked is None else key, why
        )

    async def changes(self, limit: int, subject: str | None = None) -> list[Change]:
        await self._fresh()
        return await self._copy.changes(limit, subject)

    async def _fresh(self) -> None:
        """What others changed, if Redis can tell; a list is worth having without."""
        with suppress(StateUnavailable):
            await self.refresh()

    async def _add(self, name: str, record: Record, why: Change) -> bool:
        return await self._directory.change(name, lambda known: record if known is None else None, why)

    async def _update(self, name: str, kind: type[R], update: Callable[[R], R], why: Change) -> bool:
        """Whether there is such a record; `update` makes another of it, or the same."""
        exists = False

        def updated(known: Record | None) -> Record | None:
            nonlocal exists
            exists = isinstance(known, kind)
            return update(known) if isinstance(known, kind) else None

        await self._directory.change(name, updated, why)
        return exists
