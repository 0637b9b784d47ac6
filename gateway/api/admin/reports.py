"""/admin/usage, /admin/quality, /admin/audit, /admin/requests: what was spent, how good the answers were, what was
changed and by whom, how one request went."""

from dataclasses import asdict
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from gateway.api.admin.common import state_of, tenant_of
from gateway.api.body import Strict, checked
from gateway.api.usage import CSV, Days, UsageQuery, report
from gateway.errors import InvalidValue, NotFound
from gateway.quality import report as quality_report

router = APIRouter()


class AnyUsage(UsageQuery):
    """Without `tenant` everyone's."""

    tenant: str | None = None


class QualityQuery(Days):
    """`by`: groups with commas between them. Without `tenant` everyone's."""

    by: Annotated[str, Field(max_length=1024)] = quality_report.DEFAULT
    tenant: str | None = None


class AuditQuery(Strict):
    """`subject`: a key's id or a tenant's name."""

    limit: Annotated[int, Field(strict=False, ge=1, le=1000)] = 100
    subject: str | None = None


@router.get("/usage", responses={200: {"content": {CSV: {}}}})
async def usage(request: Request) -> Response:
    """Days are the tenant's when one is named, else UTC's, unless `zone` says otherwise."""
    asked = checked(AnyUsage, dict(request.query_params))
    return await report(request, asked, asked.tenant, await _zone(request, asked.tenant))


@router.get("/quality")
async def quality(request: Request) -> dict[str, Any]:
    """Rates of what was found of the answers, their lengths, and what has changed; days as for usage."""
    asked, state = checked(QualityQuery, dict(request.query_params)), state_of(request)
    by, over = quality_report.by_of(asked.by), asked.period(await _zone(request, asked.tenant), state.clock.now())
    try:
        rows = await quality_report.report(state.journal, by, over, asked.tenant)
    except ValueError as error:
        raise InvalidValue(f"by: {error}.", param="by") from None
    days = {"since": str(over.first), "until": str(over.last), "zone": over.zone}
    return {"object": "quality", "tenant": asked.tenant, **days, "by": by, "data": rows}


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


async def _zone(request: Request, tenant: str | None) -> str:
    """Whose days are meant. Raises NotFound."""
    return (await tenant_of(request, tenant)).zone if tenant is not None else "UTC"
