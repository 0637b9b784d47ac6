"""/admin/keys: a tenant's keys. A key's secret leaves once, in the answer that makes it."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import AfterValidator, Field

from gateway.api.admin.common import BY, Limits, body_of, limits_of, runtime_of, state_of, tenant_of
from gateway.api.body import Strict, checked
from gateway.errors import InvalidValue, NotFound
from gateway.keyring import Issued, KeyEnded, checked_label, checked_overlap, issue, rotate
from gateway.scopes import checked_entries, checked_labels, checked_tags
from gateway.settings import Name
from gateway.state import Key, Scopes
from gateway.state.limits import format_limit

router = APIRouter(prefix="/keys")

LAST_SECOND = 253_402_300_799  # of the year 9999: datetime's last
Entries = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(checked_entries)]


class ScopesBody(Strict):
    """Names or beginnings with a final `*`; null is everything, an empty list nothing. `access`: labels it holds."""

    models: Entries | None = None
    prompts: Entries | None = None
    collections: Entries | None = None
    tags: Annotated[dict[str, str], AfterValidator(checked_tags)] = Field(default_factory=dict)
    access: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(checked_labels)] = ()

    def scopes(self) -> Scopes:
        return Scopes(self.models, self.prompts, self.collections, self.tags, self.access)


class NewKey(Strict):
    """`expires` in seconds since the epoch."""

    tenant: Name
    label: Annotated[str, AfterValidator(checked_label)] = ""
    limits: Limits = ()
    expires: float | None = Field(default=None, gt=0, le=LAST_SECOND)
    scopes: ScopesBody = ScopesBody()


class Rotation(Strict):
    """`overlap_s`: how many seconds the old key goes on."""

    overlap_s: Annotated[float, AfterValidator(checked_overlap)] = 0.0


class Listing(Strict):
    tenant: str


@router.post("", status_code=201)
async def create(request: Request) -> dict[str, Any]:
    """The only answer, beside a rotation's, that ever has the full key."""
    asked, state = await body_of(request, NewKey), state_of(request)
    await tenant_of(request, asked.tenant)
    now = state.clock.now()
    if asked.expires is not None and asked.expires <= now:
        raise InvalidValue(f"expires lies {now - asked.expires:.0f} s in the past.", param="expires")
    limits, scopes = limits_of(asked.limits), asked.scopes.scopes()
    return _issued(await issue(state.keys, BY, asked.tenant, now, limits, asked.expires, asked.label, scopes))


@router.get("")
async def of_tenant(request: Request) -> dict[str, Any]:
    """A tenant's keys, oldest first."""
    asked = checked(Listing, dict(request.query_params))
    await tenant_of(request, asked.tenant)
    return {"object": "list", "data": [_row(key) for key in await state_of(request).keys.keys(asked.tenant)]}


@router.post("/{key_id}/rotate", status_code=201)
async def replace(request: Request, key_id: str) -> dict[str, Any]:
    """A new key like the old one, which ends after the overlap. Raises NotFound, or InvalidValue for an ended key."""
    asked, state = await body_of(request, Rotation), state_of(request)
    found = await state.keys.find(key_id)
    if found is None:
        raise _unknown()
    try:
        issued = await rotate(state.keys, BY, found[0], state.clock.now(), asked.overlap_s)
    except KeyEnded as error:
        raise InvalidValue(f"Nothing was made: {error}.", param="key_id") from None
    runtime_of(request).recent_keys.forget(key_id)
    return _issued(issued)


@router.delete("/{key_id}")
async def revoke(request: Request, key_id: str) -> dict[str, Any]:
    """From the next request on it is refused here, within a second by other processes. Twice is no error."""
    state = state_of(request)
    if not await state.keys.revoke(key_id, state.clock.now(), BY):
        raise _unknown()
    runtime_of(request).recent_keys.forget(key_id)
    return {"id": key_id, "revoked": True}


def _unknown() -> NotFound:
    return NotFound("There is no key of this id.", param="key_id", code="key_not_found")


def _issued(issued: Issued) -> dict[str, Any]:
    return _row(issued.key) | {"key": issued.full}


def _row(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "tenant": key.tenant,
        "label": key.label,
        "limits": [format_limit(limit) for limit in key.limits],
        "scopes": {
            "models": key.scopes.models,
            "prompts": key.scopes.prompts,
            "collections": key.scopes.collections,
            "tags": dict(key.scopes.tags),
            "access": key.scopes.access,
        },
        "created": key.created,
        "expires": key.expires,
        "revoked": key.revoked,
    }
