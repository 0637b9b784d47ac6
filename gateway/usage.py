"""What was spent, as it is told outside: days of a time zone, rows in dollars, CSV. Knows neither HTTP nor a terminal.

The journal sums; here its sums get a period and a form. Invariants: money is booked in whole nano-dollars and leaves as
dollars; what had no price is None (an empty cell), never 0; no cell of the CSV can be a spreadsheet's formula.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from gateway.prices import usd
from gateway.state import Balance, Journal, known_zone
from gateway.state.limits import format_limit
from gateway.state.windows import span

DAYS = 30  # what is shown without dates
FIRST_YEAR, LAST_YEAR = 1970, 9998  # the journal counts seconds from the one; a day of the other still has a next one
SUMS = ("requests", "input_tokens", "output_tokens", "cached_tokens", "cost_usd")
FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # https://owasp.org/www-community/attacks/CSV_Injection


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `first` to `last`, both included, in `zone` (IANA). Raises ValueError for days in a wrong order."""

    first: date
    last: date
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"the first day, {self.first}, lies after the last, {self.last}")

    @property
    def bounds(self) -> tuple[int, int]:
        """Its start (included) and end (excluded), in seconds since the epoch."""
        return _day(self.first, self.zone)[0], _day(self.last, self.zone)[1]


def day_of(text: str) -> date:
    """An ISO date. Raises ValueError that says what would be right."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"write an ISO date from {FIRST_YEAR} on, such as 2026-11-01")
    return day


def period(first: date | None, last: date | None, zone: str, now: float) -> Period:
    """The days asked; without a last one until today, without a first one DAYS days. Raises ValueError."""
    last = last or datetime.fromtimestamp(now, known_zone(zone)).date()
    return Period(first or max(date(FIRST_YEAR, 1, 1), last - timedelta(days=DAYS - 1)), last, zone)


def groups(text: str) -> tuple[str, ...]:
    """`day, tag:feature` as groups of the journal, which judges them."""
    return tuple(dict.fromkeys(group.strip() for group in text.split(",")))


async def spent(journal: Journal, by: Sequence[str], over: Period, tenant: str | None = None) -> list[dict[str, Any]]:
    """One row a group, its columns `by` and SUMS. Raises ValueError naming an unknown group."""
    rows = await journal.usage(by, *over.bounds, tenant, over.zone)
    return [{name: row[name] for name in (*by, *SUMS[:-1])} | {"cost_usd": usd(row["cost_nano"])} for row in rows]


def to_csv(by: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """What `spent` returned, as CSV (RFC 4180) with one line of names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*by, *SUMS])
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def standing(balance: Balance, zone: str) -> dict[str, Any]:
    """Where a limit stands: amounts in its own unit, dollars for `usd`; `resets` is an ISO time in `zone` or None."""
    money = balance.limit.unit == "usd"
    used, held, remaining = (usd(n) if money else n for n in (balance.used, balance.held, balance.remaining))
    return {
        "scope": balance.scope,
        "limit": format_limit(balance.limit),
        "used": used,
        "held": held,
        "remaining": remaining,
        "resets": datetime.fromtimestamp(balance.resets, known_zone(zone)).isoformat() if balance.resets else None,
    }


def _day(day: date, zone: str) -> tuple[int, int]:
    """A day begins and ends where its budgets do; its noon exists in every zone."""
    return span("day", datetime.combine(day, time(12), known_zone(zone)).timestamp(), zone)


def _cell(value: Any) -> Any:
    """Texts that a spreadsheet would run are marked as texts by an apostrophe; dollars are written without exponent."""
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
