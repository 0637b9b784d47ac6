"""/admin: tenants and their limits, keys, everyone's usage, one request's journal row, purging the cache.

Every route needs the admin key. A key's secret leaves once, in the answer that makes it. Limits are written as on the
command line: `tokens/day=100000`.
"""

import time
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import Field

from gateway.api.auth import admin, digest, mint
from gateway.api.body import M, Strict, checked, parse
from gateway.api.usage import spent
from gateway.errors import InvalidValue, NotFound
from gateway.settings import Name
from gateway.state import Key, Limit, State, Tenant
from gateway.state.limits import format_limit, parse_limit

router = APIRouter(prefix="/admin", dependencies=[Depends(admin)])

Limits = Annotated[tuple[str, ...], Field(max_length=32, strict=False)]  # JSON's lists


class NewTenant(Strict):
    name: Name
    limits: Limits = ()


class NewKey(Strict):
    """`expires` in seconds since the epoch."""

    tenant: Name
    limits: Limits = ()
    expires: float | None = Field(default=None, gt=0)


class Purge(Strict):
    """`tag` selects: `tenant:acme`, `prompt:answer`, `model:small`. Without it everything goes."""

    tag: str | None = None


@router.post("/tenants", status_code=201)
async def create_tenant(request: Request) -> dict[str, Any]:
    """Raises InvalidValue for a name that is taken: limits are not overwritten by accident."""
    asked = await _body(request, NewTenant)
    tenant = Tenant(asked.name, _limits(asked.limits), time.time())
    if not await _state(request).keys.add_tenant(tenant):
        raise InvalidValue(f"There is a tenant {tenant.name} already.", param="name")
    return _tenant(tenant)


@router.get("/tenants")
async def list_tenants(request: Request) -> dict[str, Any]:
    return {"object": "list", "data": [_tenant(tenant) for tenant in await _state(request).keys.tenants()]}


@router.post("/keys", status_code=201)
async def create_key(request: Request) -> dict[str, Any]:
    """The only answer that ever has the full key."""
    asked = await _body(request, NewKey)
    await _known_tenant(request, asked.tenant)
    key_id, secret, full = mint()
    key = Key(key_id, asked.tenant, digest(secret), _limits(asked.limits), time.time(), asked.expires)
    await _state(request).keys.add_key(key)
    return _key(key) | {"key": full}


@router.get("/keys")
async def list_keys(request: Request, tenant: str = "") -> dict[str, Any]:
    await _known_tenant(request, tenant)
    return {"object": "list", "data": [_key(key) for key in await _state(request).keys.keys(tenant)]}


@router.delete("/keys/{key_id}")
async def revoke_key(request: Request, key_id: str) -> dict[str, Any]:
    """From the next request on it is refused here, within a second by other processes. Twice is no error."""
    if not await _state(request).keys.revoke(key_id, time.time()):
        raise NotFound("There is no key of this id.", param="key_id", code="key_not_found")
    request.app.state.runtime.recent_keys.forget(key_id)
    return {"id": key_id, "revoked": True}


@router.get("/usage")
async def all_usage(request: Request, tenant: str | None = None) -> dict[str, Any]:
    return await spent(request, _state(request).journal, tenant)


@router.get("/requests/{request_id}")
async def one_request(request: Request, request_id: str) -> dict[str, Any]:
    """The journal's row, its stages and decisions under `detail`."""
    row = await _state(request).journal.read(request_id)
    if row is None:
        raise NotFound("There is no request of this id.", param="request_id", code="request_not_found")
    return row | {"detail": orjson.loads(row["detail"] or "{}")}


@router.post("/cache/purge")
async def purge(request: Request) -> dict[str, int]:
    asked = await _body(request, Purge)
    return {"purged": await _state(request).answers.purge(asked.tag)}


def _state(request: Request) -> State:
    state: State = request.app.state.runtime.state
    return state


async def _body(request: Request, shape: type[M]) -> M:
    return checked(shape, parse(await request.body() or b"{}", request.app.state.runtime.settings.server.max_depth))


async def _known_tenant(request: Request, name: str) -> None:
    if await _state(request).keys.tenant(name) is None:
        raise NotFound("There is no tenant of this name; create it first.", param="tenant", code="tenant_not_found")


def _limits(texts: Sequence[str]) -> tuple[Limit, ...]:
    try:
        return tuple(parse_limit(text) for text in texts)
    except ValueError as error:
        raise InvalidValue(f"limits: {error}.", param="limits") from None


def _tenant(tenant: Tenant) -> dict[str, Any]:
    return {"name": tenant.name, "limits": [format_limit(limit) for limit in tenant.limits], "created": tenant.created}


def _key(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "tenant": key.tenant,
        "limits": [format_limit(limit) for limit in key.limits],
        "created": key.created,
        "expires": key.expires,
        "revoked": key.revoked,
    }
