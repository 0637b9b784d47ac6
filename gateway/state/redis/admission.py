"""How a hold is admitted: Redis judges it, this machine's file records it; only then is it so.

While Redis is away it is taken from a lease. When Redis has lost its counters it waits until they are whole, and when
leases are all that is in its way, until they were given back. Nothing is admitted on a doubt.

Invariant: whatever is returned as admitted is on file, and counts in Redis or is part of a lease that does.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.state import Balance, Clock, Hold, StateUnavailable
from gateway.state.counters import Bound, Counter, Live, Meter, balances, metered, refuse
from gateway.state.redis.counts import Counts, Reply, Standings
from gateway.state.redis.fleet import PATIENCE_S
from gateway.state.redis.lease import Leases
from gateway.state.redis.leasing import Leasing
from gateway.state.redis.rebuild import Rebuild
from gateway.state.sqlite.budgets import SqliteBudgets

ROUNDS = 5  # losses of the counters that one call lives through
RESTLESS = "Redis loses its counters again and again: see that it keeps its data, and retry"


@dataclass(frozen=True, slots=True)
class Tried:
    """A hold that was tried here and is not settled; on which counters it is on file, if it is."""

    hold: Hold
    counters: tuple[Counter, ...] = ()


class Admission:
    """Of one process; `tried` are its holds by request id."""

    def __init__(
        self,
        counts: Counts,
        local: SqliteBudgets,
        leases: Leases,
        leasing: Leasing,
        rebuild: Rebuild,
        clock: Clock,
        tried: dict[str, Tried],
    ) -> None:
        self._counts, self._local, self._rebuild, self._clock = counts, local, rebuild, clock
        self._leases, self._leasing, self._tried = leases, leasing, tried

    async def hold(self, hold: Hold, bounds: tuple[Bound, ...]) -> list[Balance]:
        """See `Budgets.hold`."""
        recalled = False
        for _ in range(ROUNDS):
            with self._rebuild.passing(hold.tenant):
                asked = time.monotonic()
                try:
                    reply = await self._counts.hold(hold, bounds)
                except StateUnavailable as away:
                    return await self._leased(hold, away)
                if reply.what == "held":
                    await self._record(hold, bounds, reply, asked)
            if reply.what in ("held", "settled"):
                return balances(bounds, reply.standings, hold.at, hold.zone)
            if reply.what == "lost":
                await self._rebuild.ensure(hold.tenant)
            elif reply.what == "leased" and not recalled:
                await self._leasing.recall(hold.tenant)
                recalled = True
            else:
                await self._refuse(hold, bounds, reply.standings)
        raise StateUnavailable(RESTLESS)

    async def _record(self, hold: Hold, bounds: tuple[Bound, ...], reply: Reply, asked: float) -> None:
        """On file; and what took so long that a rebuilding may not have waited for it is asked once more."""
        tried = self._tried.get(hold.request_id)
        counters = tried.counters if tried and tried.counters else _of(hold, reply.counters)
        try:
            await self._local.record(hold, counters)
        except StateUnavailable:
            with suppress(StateUnavailable):
                await self._counts.settle(hold.tenant, hold.request_id)
            raise
        self._tried[hold.request_id] = Tried(hold, counters)
        if time.monotonic() - asked > PATIENCE_S and (await self._counts.hold(hold, bounds)).what != "held":
            raise StateUnavailable("Redis lost a hold while it was written down here: retry")

    async def _leased(self, hold: Hold, away: StateUnavailable) -> list[Balance]:
        """From a lease, or not at all. The balances are as they were when it was taken."""
        lease = self._leases.spend(hold, self._clock.now())
        if lease is None:
            raise away
        counters = _of(hold, lease.counters)
        self._tried[hold.request_id] = Tried(hold, counters)
        self._rebuild.untold.add(hold.tenant)
        await self._local.record(hold, counters)
        return lease.standing

    async def _refuse(self, hold: Hold, bounds: tuple[Bound, ...], standings: Standings) -> None:
        self._tried.pop(hold.request_id, None)
        minutes = [meter for meter in metered(bounds) if meter.window == "minute"]
        live = {meter: await self._counts.live(hold.tenant, meter) for meter in minutes}

        def of(balance: Balance) -> list[Live]:
            name = hold.tenant if balance.scope == "tenant" else hold.key
            return live[Meter(balance.scope, name, balance.limit.unit, balance.limit.window)]

        refuse(balances(bounds, standings, hold.at, hold.zone), hold.amounts, of)
        raise AssertionError("Redis refused what fits")  # the two sums are the same; never admit on a doubt


def _of(hold: Hold, counters: Sequence[Counter]) -> tuple[Counter, ...]:
    """Those on which the hold sets something aside."""
    return tuple(counter for counter in counters if counter.unit in hold.amounts)
