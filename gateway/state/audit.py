"""The audit's rows: what each change of tenants and keys is called, and what it says. Pure; every store writes these.

No secret and no digest is in them.
"""

import json
from collections.abc import Sequence

from gateway.state.limits import format_limit
from gateway.state.scopes import dump_scopes
from gateway.state.values import Change, Key, Limit, Tenant


def tenant_created(tenant: Tenant, at: float, by: str) -> Change:
    return Change(at, by, "tenant.create", tenant.name, {"limits": _texts(tenant.limits), "zone": tenant.zone})


def tenant_limited(name: str, limits: Sequence[Limit], at: float, by: str) -> Change:
    return Change(at, by, "tenant.limits", name, {"limits": _texts(limits)})


def key_created(key: Key, at: float, by: str) -> Change:
    detail = {"tenant": key.tenant, "label": key.label, "limits": _texts(key.limits), "expires": key.expires}
    return Change(at, by, "key.create", key.id, detail | {"scopes": json.loads(dump_scopes(key.scopes))})


def key_expired(key_id: str, expires: float, at: float, by: str) -> Change:
    return Change(at, by, "key.expire", key_id, {"expires": expires})


def key_revoked(key_id: str, revoked: float, at: float, by: str) -> Change:
    return Change(at, by, "key.revoke", key_id, {"revoked": revoked})


def _texts(limits: Sequence[Limit]) -> list[str]:
    return [format_limit(limit) for limit in limits]
