"""The table `counters`: how meters stand, how amounts come on and off them. Each function runs inside a transaction.

A meter is read at the time asked, or where its newest counter begins, if that is later (see `counters.counter_at`).
Knows no hold. Invariant: a counter's `held` is the sum of what open holds have set aside on it.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from gateway.state import Amounts
from gateway.state.counters import KEEP, Counter, Live, Meter, Standing, booked
from gateway.state.windows import MINUTE

_LIVE = 'FROM counters WHERE scope = ? AND name = ? AND unit = ? AND "window" = ? AND "end" > ?'
# Of a minute the seconds on which something counts; of a day or month the window, whatever counts.
_RESETS = 'max(iif(used + held > 0 OR "window" <> \'minute\', "end", 0))'
_READ = f'SELECT {{}}, coalesce(sum(used), 0), coalesce(sum(held), 0), coalesce({_RESETS}, 0), max("start") {_LIVE}'
_COUNTER = 'WHERE scope = ? AND name = ? AND unit = ? AND "window" = ? AND "start" = ? AND "end" = ?'
# A second's row is of no use a minute after it slid out: by then every meter has moved on or stands at 0.
_KEEP_MINUTES = MINUTE


class Total(NamedTuple):
    """What one counter stands at."""

    counter: Counter
    used: int
    held: int


class Reading(NamedTuple):
    """How a meter stands, and where its newest live counter begins (None: there is none)."""

    standing: Standing
    latest: int | None


def read(db: sqlite3.Connection, meters: Sequence[Meter], at: float) -> dict[Meter, Reading]:
    """All in one statement: it is asked twice for every request."""
    if not meters:
        return {}
    found = {}
    for number, used, held, resets, latest in db.execute(_reading(len(meters)), _asked(meters, at)):
        meter = meters[number]
        ahead = latest is not None and latest > at
        found[meter] = read(db, [meter], latest)[meter] if ahead else Reading(Standing(used, held, resets), latest)
    return found


def live(db: sqlite3.Connection, meter: Meter, at: float) -> list[Live]:
    """The counters that make up what `read` says."""
    latest = read(db, [meter], at)[meter].latest or 0
    rows = db.execute(f'SELECT "end", used + held {_LIVE}', (*meter, max(at, latest)))
    return [Live(*row) for row in rows]


def set_aside(db: sqlite3.Connection, counters: Sequence[Counter], amounts: Amounts, tenant: str) -> None:
    if counters:
        values = [value for counter in counters for value in (*counter, tenant, amounts.get(counter.unit, 0))]
        db.execute(_setting_aside(len(counters)), values)


def book(db: sqlite3.Connection, counters: Iterable[Counter], amounts: Amounts, spent: Amounts) -> None:
    """Take the held `amounts` off again and book `spent`, at most what was held."""
    moves = [(counter, amounts.get(counter.unit, 0)) for counter in counters]
    db.executemany(
        f"UPDATE counters SET held = held - ?, used = used + ? {_COUNTER}",
        [(held, booked(held, spent.get(counter.unit, 0)), *counter) for counter, held in moves],
    )


def totals(db: sqlite3.Connection, tenant: str, at: float) -> list[Total]:
    """The counters of a tenant and of its keys whose end is after `at`."""
    rows = db.execute(
        'SELECT scope, name, unit, "window", "start", "end", used, held FROM counters WHERE tenant = ? AND "end" > ?',
        (tenant, at),
    )
    return [Total(Counter(*row[:6]), row["used"], row["held"]) for row in rows]


def counted(db: sqlite3.Connection, counters: Iterable[Counter]) -> list[Total]:
    """These counters as they stand, those that were ever moved."""
    read = f"SELECT used, held FROM counters {_COUNTER}"
    found = [(counter, db.execute(read, counter).fetchone()) for counter in counters]
    return [Total(counter, *row) for counter, row in found if row]


def forget(db: sqlite3.Connection, at: float) -> None:
    """Remove what nobody will ask for again; never a counter on which something is held."""
    for windows, keep in (("('minute')", _KEEP_MINUTES), ("('day', 'month')", KEEP)):
        db.execute(f'DELETE FROM counters WHERE "window" IN {windows} AND "end" < ? AND held = 0', (at - keep,))


@cache
def _setting_aside(counters: int) -> str:
    rows = ", ".join(["(?, ?, ?, ?, ?, ?, ?, 0, ?)"] * counters)
    return f"INSERT INTO counters VALUES {rows} ON CONFLICT DO UPDATE SET held = held + excluded.held"


@cache
def _reading(meters: int) -> str:
    return " UNION ALL ".join(_READ.format(number) for number in range(meters))


def _asked(meters: Iterable[Meter], at: float) -> list[Any]:
    return [value for meter in meters for value in (*meter, at)]
