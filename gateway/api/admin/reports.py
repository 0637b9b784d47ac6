"""/admin/usage, /admin/audit, /admin/requests: what was spent, what was changed and by whom, how one request went."""

from dataclasses import asdict
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from gateway.api.admin.common import state_of, tenant_of
from gateway.api.body import Strict, checked
from gateway.api.usage import CSV, UsageQuery, report
from gateway.errors import NotFound

router = APIRouter()


class AnyUsage(UsageQuery):
    """Without `tenant` everyone's."""

    tenant: str | None = None


class AuditQuery(Strict):
    """`subject`: a key's id or a tenant's name."""

    limit: Annotated[int, Field(strict=False, ge=1, le=1000)] = 100
    subject: str | None = None


@router.get("/usage", responses={200: {"content": {CSV: {}}}})
async def usage(request: Request) -> Response:
    """Days are the tenant's when one is named, else UTC's, unless `zone` says otherwise."""
    asked = checked(AnyUsage, dict(request.query_params))
    zone = (await tenant_of(request, asked.tenant)).zone if asked.tenant is not None else "UTC"
    return await report(request, asked, asked.tenant, zone)


@router.get("/audit")
async def audit(request: Request) -> dict[str, Any]:
    """The newest changes first."""
    asked = checked(AuditQuery, dict(request.query_params))
    changes = await state_of(request).keys.changes(asked.limit, asked.subject)
    return {"object": "list", "data": [asdict(change) for change in changes]}


@router.get("/requests/{request_id}")
async def one_request(request: Request, request_id: str) -> dict[str, Any]:
    """The journal's row, its stages and decisions under `detail`."""
    row = await state_of(request).journal.read(request_id)
    if row is None:
        raise NotFound("There is no request of this id.", param="request_id", code="request_not_found")
    return row | {"detail": orjson.loads(row["detail"] or "{}")}
