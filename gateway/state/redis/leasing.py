"""When leases are taken and given back.

For each tenant and key asked for lately a process holds a hundredth of what remains, on all their limits, anew every
RENEW_S. No lease makes a living gateway refuse: a hold that would fit without them calls them back, and for a while
nobody takes new ones.

Invariants: a lease is given back only after all that was spent from it is told (`Rebuild.told`): counted twice for a
moment, never missed. In a sliding minute it counts AHEAD seconds later than it was taken, and is good until then, so
that what is spent last still counts for its whole minute.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count

from gateway.state import Balance, Clock, Hold, StateUnavailable, Unit
from gateway.state.background import attempted, stopped
from gateway.state.counters import Bound, Counter, balances, bind_hold, metered
from gateway.state.redis.counts import Counts, Reply
from gateway.state.redis.fleet import Fleet
from gateway.state.redis.lease import Lease, Leases, Who
from gateway.state.redis.rebuild import Rebuild
from gateway.state.windows import MINUTE

RENEW_S = 5.0
ACTIVE_S = 60.0  # who has not asked for so long has no lease
SHARE = 100  # a lease is at most what remains divided by this
AHEAD = 30  # seconds a lease lasts in a sliding minute, where what counts late slides out late; and without any limit
RECALL_S = 1.0  # four beats: who does not give a lease back within that cannot be reached
POLL_S = 0.02


class Leasing:
    """Of one process, for its `leases`."""

    def __init__(self, counts: Counts, fleet: Fleet, rebuild: Rebuild, leases: Leases, clock: Clock) -> None:
        self._counts, self._fleet, self._rebuild, self._leases, self._clock = counts, fleet, rebuild, leases, clock
        self._numbers = count()
        self._asked: dict[Who, tuple[Hold, float]] = {}  # the last hold of each, and when (monotonic)
        self._recalls: dict[str, asyncio.Task[None]] = {}

    def asked(self, hold: Hold) -> None:
        """Remember whose leases are worth having."""
        self._asked[hold.tenant, hold.key] = hold, time.monotonic()

    async def release(self, tenant: str) -> None:
        """Give back what a tenant has here. Raises StateUnavailable: the rest is given back another time."""
        self._leases.withdraw(tenant)
        await self._given_back(tenant)

    async def renew(self) -> None:
        """Take new leases for who asked lately, and give the old ones back."""
        now = time.monotonic()
        self._asked = {who: last for who, last in self._asked.items() if now - last[1] < ACTIVE_S}
        await attempted(self.release, self._leases.tenants - {tenant for tenant, _ in self._asked})
        await attempted(self._renewed, list(self._asked))

    async def stop(self) -> None:
        await stopped(list(self._recalls.values()))

    async def recall(self, tenant: str) -> None:
        """Have everybody give a tenant's leases back; returns when they did, or cannot be reached. One for all callers.

        Raises StateUnavailable.
        """
        if tenant not in self._recalls:
            task = self._recalls[tenant] = asyncio.create_task(self._recalled(tenant))
            task.add_done_callback(lambda _: self._recalls.pop(tenant))
        await asyncio.shield(self._recalls[tenant])

    async def _recalled(self, tenant: str) -> None:
        await self._fleet.want(tenant)
        await self.release(tenant)
        for _ in range(int(RECALL_S / POLL_S)):
            if not await self._counts.leased(tenant):
                return
            await asyncio.sleep(POLL_S)

    async def _renewed(self, who: Who) -> None:
        hold, _ = self._asked[who]
        await self._rebuild.told(hold.tenant)
        with self._rebuild.passing(hold.tenant):
            self._leases.put(who, None if hold.tenant in self._fleet.seen.wanted else await self._taken(hold))
        await self._given_back(hold.tenant)

    async def _given_back(self, tenant: str) -> None:
        """End what is out of use, once all that was spent from it is told."""
        await self._rebuild.told(tenant)
        for lease in self._leases.ending(tenant):
            await self._counts.settle(tenant, lease, lease=True)
            self._leases.end(tenant, [lease])

    async def _taken(self, hold: Hold) -> Lease | None:
        bounds, now = bind_hold(hold), self._clock.now()
        standings = await self._counts.look(hold.tenant, metered(bounds), now, hold.zone)
        if standings is None:
            return None
        standing = balances(bounds, standings, now, hold.zone)
        amounts = _amounts(hold, standing)
        if not all(amounts.values()):
            return None
        name = f"lease-{self._fleet.member.process}-{next(self._numbers)}"
        asked = replace(hold, request_id=name, amounts=amounts, at=now, draft={})
        reply = await self._ask(asked, bounds)
        if reply.what != "held":
            return None
        until = min(map(_until, reply.counters), default=now + AHEAD)
        return Lease(asked, reply.counters, standing, dict(amounts), until)

    async def _ask(self, lease: Hold, bounds: Sequence[Bound]) -> Reply:
        self._leases.taking.add(lease.request_id)
        try:
            return await self._counts.hold(lease, bounds, AHEAD)
        except (StateUnavailable, asyncio.CancelledError):  # it may be there nevertheless
            self._leases.doubt(lease)
            raise
        finally:
            self._leases.taking.discard(lease.request_id)


def _amounts(hold: Hold, standing: Iterable[Balance]) -> dict[Unit, int]:
    """Of each unit that is asked for and limited its share of what remains, one request if one remains."""
    amounts: dict[Unit, int] = {}
    for balance in standing:
        unit, remaining = balance.limit.unit, balance.remaining
        if unit in hold.amounts and balance.limit.window != "request":
            share = min(1, remaining) if unit == "requests" and remaining < SHARE else remaining // SHARE
            amounts[unit] = min(amounts.get(unit, share), share)
    return amounts


def _until(counter: Counter) -> int:
    """From then on what is spent would count too short."""
    return counter.end - MINUTE if counter.window == "minute" else counter.end
