"""Tenants and keys in Redis: one hash each, and a third with the times of revocation.

Each change is one command on one hash, so none can be half done. Listing a tenant's keys reads all keys: a first form,
right for thousands of them.
"""

import json
from typing import Any

from gateway.state import Key, Tenant
from gateway.state.limits import dump_limits, load_limits
from gateway.state.redis.server import PREFIX, Client, translated

_TENANTS, _KEYS, _REVOKED = PREFIX + "tenants", PREFIX + "keys", PREFIX + "revoked"


class RedisKeys:
    """`gateway.state.Keys` over one server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def add_tenant(self, tenant: Tenant) -> bool:
        record = {"name": tenant.name, "limits": dump_limits(tenant.limits), "created": tenant.created}
        with translated():
            return bool(await self._client.hsetnx(_TENANTS, tenant.name, json.dumps(record)))

    async def tenant(self, name: str) -> Tenant | None:
        with translated():
            record = await self._client.hget(_TENANTS, name)
        return _as_tenant(record) if record else None

    async def tenants(self) -> list[Tenant]:
        with translated():
            records = await self._client.hvals(_TENANTS)
        return sorted(map(_as_tenant, records), key=lambda tenant: tenant.name)

    async def add_key(self, key: Key) -> None:
        if await self.tenant(key.tenant) is None:  # tenants are never removed: it stays so
            raise ValueError(f"there is no tenant {key.tenant!r}: create it first")
        with translated():
            added = await self._client.hsetnx(_KEYS, key.id, _record(key))
        if not added:
            raise ValueError(f"the key id {key.id!r} is taken")
        if key.revoked is not None:
            await self.revoke(key.id, key.revoked)

    async def find(self, key_id: str) -> tuple[Key, Tenant] | None:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hget(_KEYS, key_id)
        pipeline.hget(_REVOKED, key_id)
        with translated():
            record, revoked = await pipeline.execute()
        key = _as_key(json.loads(record), revoked) if record else None
        tenant = await self.tenant(key.tenant) if key else None
        return (key, tenant) if key and tenant else None

    async def keys(self, tenant: str) -> list[Key]:
        with translated():
            records = await self._client.hvals(_KEYS)
            revoked = await self._client.hgetall(_REVOKED)
        mine = [fields for fields in map(json.loads, records) if fields["tenant"] == tenant]
        keys = [_as_key(fields, revoked.get(fields["id"].encode())) for fields in mine]
        return sorted(keys, key=lambda key: (key.created, key.id))

    async def revoke(self, key_id: str, at: float) -> bool:
        with translated():
            if not await self._client.hexists(_KEYS, key_id):
                return False
            await self._client.hsetnx(_REVOKED, key_id, repr(at))
            return True


def _record(key: Key) -> str:
    """All but the time of revocation, as JSON."""
    fields: dict[str, Any] = {
        "id": key.id,
        "tenant": key.tenant,
        "digest": key.digest.hex(),
        "limits": dump_limits(key.limits),
        "created": key.created,
        "expires": key.expires,
    }
    return json.dumps(fields)


def _as_key(fields: dict[str, Any], revoked: bytes | None) -> Key:
    digest, limits = bytes.fromhex(fields["digest"]), load_limits(fields["limits"])
    times = fields["created"], fields["expires"], float(revoked) if revoked else None
    return Key(fields["id"], fields["tenant"], digest, limits, *times)


def _as_tenant(record: bytes) -> Tenant:
    fields = json.loads(record)
    return Tenant(fields["name"], load_limits(fields["limits"]), fields["created"])
