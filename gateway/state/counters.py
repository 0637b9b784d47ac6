"""Which counters a hold's limits fall on, how they stand, and whether an amount still fits. Pure; both stores use it.

A counter is shared by all limits of one unit and window, whatever their amounts: raising a limit forgets nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.state import Amounts, Balance, Hold, Limit, OverLimit, Unit, Window
from gateway.state.limits import format_limit, parse_limit
from gateway.state.windows import span

# Seconds that settled holds and past counters stay: repeated calls and late settlements still find them. Seven days
# is longer than any request lives and any clock is wrong.
KEEP = 7 * 86_400


class Counter(NamedTuple):
    """One row of used and held amounts; `start` and `end` of its window are epoch seconds."""

    scope: Literal["tenant", "key"]
    name: str
    unit: Unit
    window: Window
    start: int
    end: int


class Standing(NamedTuple):
    """What a counter says."""

    used: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit and the counter that it falls on."""

    limit: Limit
    counter: Counter


def bind(
    tenant: str, key: str, tenant_limits: Sequence[Limit], key_limits: Sequence[Limit], at: float
) -> tuple[Bound, ...]:
    """The tenant's limits, then the key's, each with its counter at time `at`."""
    return tuple(_bound("tenant", tenant, limit, at) for limit in tenant_limits) + tuple(
        _bound("key", key, limit, at) for limit in key_limits
    )


def bind_hold(hold: Hold) -> tuple[Bound, ...]:
    return bind(hold.tenant, hold.key, hold.tenant_limits, hold.key_limits, hold.at)


def _bound(scope: Literal["tenant", "key"], name: str, limit: Limit, at: float) -> Bound:
    start, end = span(limit.window, at)
    return Bound(limit, Counter(scope, name, limit.unit, limit.window, int(start), int(end)))


def counted(bounds: Iterable[Bound]) -> list[Counter]:
    """The counters to move, each once; `request` limits have none."""
    return list(dict.fromkeys(bound.counter for bound in bounds if bound.counter.window != "request"))


def balances(bounds: Iterable[Bound], standings: Mapping[Counter, Standing]) -> list[Balance]:
    """One balance a limit, in their order; a counter without a standing is at 0."""
    return [_balance(bound, standings.get(bound.counter, Standing())) for bound in bounds]


def _balance(bound: Bound, standing: Standing) -> Balance:
    return Balance(bound.counter.scope, bound.limit, standing.used, standing.held, float(bound.counter.end))


def refuse(standing: Iterable[Balance], asked: Amounts) -> None:
    """Raise OverLimit when an amount does not fit, naming the limit that will refuse longest."""
    over = [balance for balance in standing if not _fits(balance, asked.get(balance.limit.unit))]
    if over:
        worst = max(over, key=lambda balance: (balance.limit.window == "request", balance.resets))
        raise OverLimit(worst, asked[worst.limit.unit])


def _fits(balance: Balance, asked: int | None) -> bool:
    return asked is None or balance.used + balance.held + asked <= balance.limit.amount


def booked(held: int, spent: int) -> int:
    """What a settlement books of what was held: never more than that, never less than nothing."""
    return min(max(spent, 0), held)


def oversize(bounds: Iterable[Bound], asked: Amounts) -> bool:
    """Whether some `request` limit refuses, whatever the counters say."""
    singles = [bound.limit for bound in bounds if bound.counter.window == "request"]
    return any(asked.get(limit.unit, 0) > limit.amount for limit in singles)


def dump_bounds(bounds: Iterable[Bound]) -> str:
    """JSON to keep with a hold, so that its settlement finds the very windows it was held in."""
    return json.dumps([[format_limit(bound.limit), *bound.counter] for bound in bounds])


def load_bounds(text: str | bytes) -> tuple[Bound, ...]:
    """What `dump_bounds` wrote."""
    return tuple(Bound(parse_limit(limit), Counter(*counter)) for limit, *counter in json.loads(text))
