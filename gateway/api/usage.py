"""GET /v1/usage: what the caller's tenant has spent, by group, and where its limits stand; JSON or CSV.

Knows the journal and the budgets by their protocols only. `until` includes its day; days are the tenant's own.
"""

from datetime import date
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Request
from pydantic import AfterValidator, BeforeValidator, Field
from starlette.responses import Response

from gateway.api.auth import Authenticated
from gateway.api.body import Strict, checked
from gateway.errors import InvalidValue
from gateway.state import known_zone
from gateway.usage import Period, day_of, groups, period, spent, standing, to_csv

router = APIRouter()

CSV = "text/csv"
Day = Annotated[date, BeforeValidator(day_of)]


def _known(zone: str) -> str:
    return known_zone(zone).key


Zone = Annotated[str, AfterValidator(_known)]


class Days(Strict):
    """From one day to another, both included."""

    since: Day | None = None
    until: Day | None = None
    zone: Zone | None = None

    def period(self, zone: str, now: float) -> Period:
        """Days in `zone` unless the query names one. Raises InvalidValue."""
        try:
            return period(self.since, self.until, self.zone or zone, now)
        except ValueError as error:
            raise InvalidValue(f"since: {error}.", param="since") from None


class UsageQuery(Days):
    """`by`: groups with commas between them; `format` wins over the Accept header."""

    by: Annotated[str, Field(max_length=1024)] = "day"
    format: Literal["json", "csv"] | None = None


@router.get("/v1/usage", responses={200: {"content": {CSV: {}}}})
async def usage(request: Request, caller: Authenticated) -> Response:
    """The tenant's sums, and (in JSON) the balances of its limits and of the key's."""
    asked = checked(UsageQuery, dict(request.query_params))
    state = request.app.state.runtime.state
    balances = await state.budgets.balances(
        caller.tenant, caller.key, caller.tenant_limits, caller.key_limits, state.clock.now(), caller.zone
    )
    limits = {"balances": [standing(balance, caller.zone) for balance in balances]}
    return await report(request, asked, caller.tenant, caller.zone, limits)


async def report(
    request: Request, asked: UsageQuery, tenant: str | None, zone: str, more: dict[str, Any] | None = None
) -> Response:
    """Sums as JSON, with `more`, or as CSV; days in `zone` unless the query names one. Raises InvalidValue."""
    state = request.app.state.runtime.state
    by, over = groups(asked.by), asked.period(zone, state.clock.now())
    try:
        rows = await spent(state.journal, by, over, tenant)
    except ValueError as error:
        raise InvalidValue(f"by: {error}.", param="by") from None
    if _wants_csv(request, asked):
        return Response(to_csv(by, rows), media_type=CSV)
    about = {"object": "usage", "tenant": tenant, "since": str(over.first), "until": str(over.last), "zone": over.zone}
    return Response(orjson.dumps(about | {"by": by, "data": rows} | (more or {})), media_type="application/json")


def _wants_csv(request: Request, asked: UsageQuery) -> bool:
    return asked.format == "csv" if asked.format else CSV in request.headers.get("accept", "").lower()
