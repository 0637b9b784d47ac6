"""/admin/tenants: who pays, and what they may spend. A zone is chosen once; limits can be replaced at any time."""

from typing import Any

from fastapi import APIRouter, Request

from gateway.api.admin.common import BY, Limits, body_of, limits_of, runtime_of, state_of, tenant_of
from gateway.api.body import Strict
from gateway.api.usage import Zone
from gateway.errors import InvalidValue
from gateway.settings import Name
from gateway.state import Tenant
from gateway.state.limits import format_limit
from gateway.usage import standing

router = APIRouter(prefix="/tenants")


class NewTenant(Strict):
    name: Name
    limits: Limits = ()
    zone: Zone = "UTC"


class NewLimits(Strict):
    limits: Limits


@router.post("", status_code=201)
async def create(request: Request) -> dict[str, Any]:
    """Raises InvalidValue for a name that is taken: limits are not overwritten by accident."""
    asked, state = await body_of(request, NewTenant), state_of(request)
    tenant = Tenant(asked.name, limits_of(asked.limits), state.clock.now(), asked.zone)
    if not await state.keys.add_tenant(tenant, BY):
        raise InvalidValue(f"There is a tenant {tenant.name} already.", param="name")
    return _row(tenant)


@router.get("")
async def all_tenants(request: Request) -> dict[str, Any]:
    return {"object": "list", "data": [_row(tenant) for tenant in await state_of(request).keys.tenants()]}


@router.get("/{name:path}")
async def one(request: Request, name: str) -> dict[str, Any]:
    """The tenant, and where each of its limits stands. Raises NotFound."""
    tenant, state = await tenant_of(request, name), state_of(request)
    balances = await state.budgets.balances(name, "", tenant.limits, (), state.clock.now(), tenant.zone)
    return _row(tenant) | {"balances": [standing(balance, tenant.zone) for balance in balances]}


@router.patch("/{name:path}")
async def set_limits(request: Request, name: str) -> dict[str, Any]:
    """Replace the limits; what was spent stays counted. They bind from the next request on. Raises NotFound."""
    asked, keys = await body_of(request, NewLimits), state_of(request).keys
    await keys.set_limits(name, limits_of(asked.limits), BY)
    tenant = await tenant_of(request, name)
    for key in await keys.keys(name):
        runtime_of(request).recent_keys.forget(key.id)
    return _row(tenant)


def _row(tenant: Tenant) -> dict[str, Any]:
    limits = [format_limit(limit) for limit in tenant.limits]
    return {"name": tenant.name, "limits": limits, "zone": tenant.zone, "created": tenant.created}
