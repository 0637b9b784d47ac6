"""GET /v1/usage: what the caller's tenant has spent, by group, and where its limits stand.

Knows the journal and the budgets by their protocols only. Days are UTC; `until` includes its day. Dollars leave as
numbers, they are booked as whole nano-dollars.
"""

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request

from gateway.api.auth import Authenticated
from gateway.errors import InvalidValue
from gateway.prices import usd
from gateway.state import Balance, Journal
from gateway.state.limits import format_limit

router = APIRouter()

DAYS = 30  # what a request without dates shows
FIRST_YEAR = 1970  # the journal counts seconds from there


@router.get("/v1/usage")
async def usage(request: Request, caller: Authenticated) -> dict[str, Any]:
    """The tenant's sums, and the balances of its limits and of the key's."""
    state = request.app.state.runtime.state
    sums = await spent(request, state.journal, caller.tenant)
    balances = await state.budgets.balances(
        caller.tenant, caller.key, caller.tenant_limits, caller.key_limits, time.time()
    )
    return sums | {"tenant": caller.tenant, "balances": [_balance(balance) for balance in balances]}


async def spent(request: Request, journal: Journal, tenant: str | None) -> dict[str, Any]:
    """Sums by the query's `since`, `until` (ISO dates) and `by` (groups, comma-separated). Raises InvalidValue."""
    query = request.query_params
    last = _day("until", query.get("until")) or datetime.now(UTC).date()
    first = _day("since", query.get("since")) or last - timedelta(days=DAYS - 1)
    by = [group.strip() for group in query.get("by", "day").split(",")]
    try:
        rows = await journal.usage(by, _begin(first), _begin(last) + 86400, tenant)
    except ValueError as error:
        raise InvalidValue(f"by: {error}.", param="by") from None
    return {"object": "usage", "since": str(first), "until": str(last), "by": by, "data": [_row(row) for row in rows]}


def _day(name: str, text: str | None) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if day.year < FIRST_YEAR:
        raise InvalidValue(f"{name} must be an ISO date from {FIRST_YEAR} on, such as 2026-11-01.", param=name)
    return day


def _begin(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "cost_nano"} | {"cost_usd": usd(row["cost_nano"])}


def _balance(balance: Balance) -> dict[str, Any]:
    """Amounts in the limit's own unit, dollars for `usd`."""
    money = balance.limit.unit == "usd"
    used, held, remaining = (_amount(n, money) for n in (balance.used, balance.held, balance.remaining))
    return {
        "scope": balance.scope,
        "limit": format_limit(balance.limit),
        "used": used,
        "held": held,
        "remaining": remaining,
        "resets": datetime.fromtimestamp(balance.resets, UTC).isoformat() if balance.resets else None,
    }


def _amount(value: int, money: bool) -> float | int | None:
    return usd(value) if money else value
