"""What a hold's limits count on, how that stands, and whether an amount still fits. Pure; both stores use it.

A *meter* counts one unit of one tenant or key by one kind of window; it is shared by all limits of that unit and
window, whatever their amounts, so raising a limit forgets nothing. It is a row of *counters*, one per window (per
second for the sliding minute), and stands at the sum of those whose `end` is still to come.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.state.values import Amounts, Balance, Hold, Limit, OverLimit, Unit, Window
from gateway.state.windows import latest_span

# Seconds that settled holds and past counters stay: repeated calls and late settlements still find them. Seven days
# is longer than any request lives and any clock is wrong.
KEEP = 7 * 86_400


class Meter(NamedTuple):
    """Of whom and of what; `name` is the tenant's or the key's."""

    scope: Literal["tenant", "key"]
    name: str
    unit: Unit
    window: Window


class Counter(NamedTuple):
    """One window of a meter: its amounts count from `start` until `end`, in epoch seconds."""

    scope: Literal["tenant", "key"]
    name: str
    unit: Unit
    window: Window
    start: int
    end: int

    @property
    def meter(self) -> Meter:
        return Meter(*self[:4])


class Standing(NamedTuple):
    """The sums of a meter's live counters; `resets` is the last end of those that are not 0 (0: there are none)."""

    used: int = 0
    held: int = 0
    resets: int = 0


def moved(standing: Standing, counter: Counter, amount: int) -> Standing:
    """How a meter stands once `amount` is set aside on one of its counters."""
    return Standing(standing.used, standing.held + amount, max(standing.resets, counter.end))


class Live(NamedTuple):
    """One live counter: what it adds to its meter (used and held), until when."""

    end: int
    amount: int


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit and the meter that it falls on."""

    limit: Limit
    meter: Meter


def bind(tenant: str, key: str, tenant_limits: Iterable[Limit], key_limits: Iterable[Limit]) -> tuple[Bound, ...]:
    """The tenant's limits, then the key's, each with its meter."""
    return tuple(Bound(limit, Meter("tenant", tenant, limit.unit, limit.window)) for limit in tenant_limits) + tuple(
        Bound(limit, Meter("key", key, limit.unit, limit.window)) for limit in key_limits
    )


def bind_hold(hold: Hold) -> tuple[Bound, ...]:
    return bind(hold.tenant, hold.key, hold.tenant_limits, hold.key_limits)


def metered(bounds: Iterable[Bound]) -> list[Meter]:
    """The meters to move, each once; `request` limits have none."""
    return list(dict.fromkeys(bound.meter for bound in bounds if bound.meter.window != "request"))


def counter_at(meter: Meter, at: float, zone: str, latest: int | None = None) -> Counter:
    """The counter that an amount spent at `at` falls on; `latest` is the start of the meter's newest counter.

    Never one before that: a clock that went back, or a neighbour's that is behind, reopens nothing.
    """
    return Counter(*meter, *latest_span(meter.window, at if latest is None else max(at, latest), zone))


def balances(
    bounds: Iterable[Bound], standings: Mapping[Meter, Standing], at: float, zone: str = "UTC"
) -> list[Balance]:
    """One balance a limit, in their order; a meter without a standing is at 0."""
    return [_balance(bound, standings.get(bound.meter, Standing()), at, zone) for bound in bounds]


def _balance(bound: Bound, standing: Standing, at: float, zone: str) -> Balance:
    window = bound.meter.window
    resets = standing.resets or (at if window == "minute" else latest_span(window, at, zone)[1])
    return Balance(bound.meter.scope, bound.limit, standing.used, standing.held, float(resets))


def refuse(standing: Iterable[Balance], asked: Amounts, live: Callable[[Balance], Sequence[Live]]) -> None:
    """Raise OverLimit when an amount does not fit, naming the limit that will refuse longest.

    `live` gives the live counters under a balance's limit; it is only asked about sliding minutes that refuse.
    """
    over = [
        (_fits_at(balance, asked[balance.limit.unit], live), balance) for balance in standing if _over(balance, asked)
    ]
    if over:
        fits, worst = max(over, key=lambda pair: (pair[1].limit.window == "request", pair[0]))
        raise OverLimit(worst, asked[worst.limit.unit], fits)


def _over(balance: Balance, asked: Amounts) -> bool:
    amount = asked.get(balance.limit.unit)
    return amount is not None and balance.used + balance.held + amount > balance.limit.amount


def _fits_at(balance: Balance, asked: int, live: Callable[[Balance], Sequence[Live]]) -> float:
    """When `asked` fits, if nothing else is spent; see OverLimit."""
    if balance.limit.window != "minute":
        return balance.resets
    too_much = balance.used + balance.held + asked - balance.limit.amount
    for end, amount in sorted(live(balance)):
        too_much -= amount
        if too_much <= 0:
            return float(end)
    return balance.resets


def booked(held: int, spent: int) -> int:
    """What a settlement books of what was held: never more than that, never less than nothing."""
    return min(max(spent, 0), held)


def oversize(bounds: Iterable[Bound], asked: Amounts) -> bool:
    """Whether some `request` limit refuses, whatever the counters say."""
    singles = [bound.limit for bound in bounds if bound.meter.window == "request"]
    return any(asked.get(limit.unit, 0) > limit.amount for limit in singles)


def dump_bounds(bounds: Iterable[Bound]) -> str:
    """JSON to keep with a hold, so that its settlement tells the balances of the very limits it was judged by."""
    return json.dumps([[bound.limit.amount, *bound.meter] for bound in bounds])


def load_bounds(text: str | bytes) -> tuple[Bound, ...]:
    """What `dump_bounds` wrote."""
    meters = [(amount, Meter(*meter)) for amount, *meter in json.loads(text)]
    return tuple(Bound(Limit(meter.unit, meter.window, amount), meter) for amount, meter in meters)
