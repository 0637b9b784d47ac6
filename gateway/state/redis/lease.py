"""Leases: what a process may spend while Redis is away, set aside there beforehand.

For each tenant and key asked for lately a process holds a hundredth of what remains, on all their limits, anew every
RENEW_S. While Redis does not answer, holds are taken from it and recorded in the file alone, on the lease's own
counters. A lease that was spent from is given back only after the file was told again (`Rebuild.again`): counted twice
for a moment, never missed. One that was not is simply ended. No lease makes a living gateway refuse: a hold that would
fit without them calls them back, and for a while nobody takes new ones.

Invariants: nothing is spent from a lease that is withdrawn, or after its windows; in a sliding minute it counts AHEAD
seconds later than it was taken, and is good until then, so that what is spent last still counts for its whole minute.
"""

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import count

from gateway.state import Amounts, Balance, Clock, Hold, StateUnavailable, Unit
from gateway.state.counters import Bound, Counter, balances, bind_hold, booked, metered, oversize
from gateway.state.redis.background import stopped
from gateway.state.redis.counts import Counts, Reply
from gateway.state.redis.fleet import Fleet
from gateway.state.windows import MINUTE

RENEW_S = 5.0
ACTIVE_S = 60.0  # who has not asked for so long has no lease
SHARE = 100  # a lease is at most what remains divided by this
AHEAD = 30  # seconds a lease lasts in a sliding minute; what counts there late slides out late
RECALL_S = 1.0  # four beats: who does not give a lease back within that cannot be reached
POLL_S = 0.02

Who = tuple[str, str]  # tenant and key


@dataclass(slots=True)
class Lease:
    """`hold` is what Redis was told; `left` can still be spent, until `until` on the clock. `spent`: something was."""

    hold: Hold
    counters: tuple[Counter, ...]
    standing: list[Balance]
    left: dict[Unit, int]
    until: float
    spent: bool = False

    def takes(self, hold: Hold, now: float) -> bool:
        """Take the amounts off, if they fit, the limits are those of the lease, and its windows are not over."""
        limits = (hold.tenant_limits, hold.key_limits) == (self.hold.tenant_limits, self.hold.key_limits)
        wanted = {unit: amount for unit, amount in hold.amounts.items() if unit in self.left}
        fits = all(amount <= self.left[unit] for unit, amount in wanted.items())
        bound = {counter.unit for counter in self.counters} & set(hold.amounts) <= set(self.left)
        if not (limits and fits and bound and now < self.until) or oversize(bind_hold(hold), hold.amounts):
            return False
        for unit, amount in wanted.items():
            self.left[unit] -= amount
        self.spent = True
        return True


class Leases:
    """Of one process. `again` and `passing` are `Rebuild`'s, which ends what `withdraw` gives it."""

    def __init__(
        self,
        counts: Counts,
        fleet: Fleet,
        clock: Clock,
        again: Callable[[str], Awaitable[None]],
        passing: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._counts, self._fleet, self._clock, self._again, self._passing = counts, fleet, clock, again, passing
        self._numbers = count()
        self._leases: dict[Who, Lease] = {}
        self._asked: dict[Who, tuple[Hold, float]] = {}  # the last hold of each, and when (monotonic)
        self._spends: dict[str, tuple[Lease, Amounts]] = {}
        self._ending: dict[str, set[str]] = defaultdict(set)  # withdrawn, and perhaps not ended in Redis yet
        self._taking: set[str] = set()
        self._recalls: dict[str, asyncio.Task[None]] = {}

    @property
    def ids(self) -> set[str]:
        """Those in use, and those about to begin or to end: no sweep may touch them."""
        used = {lease.hold.request_id for lease in self._leases.values()}
        return used.union(self._taking, *self._ending.values())

    def asked(self, hold: Hold) -> None:
        """Remember whose leases are worth having."""
        self._asked[hold.tenant, hold.key] = hold, time.monotonic()

    def spend(self, hold: Hold) -> Lease | None:
        """The lease that this hold is taken from, or None."""
        lease = self._leases.get((hold.tenant, hold.key))
        if lease is None or not lease.takes(hold, self._clock.now()):
            return None
        self._spends[hold.request_id] = lease, hold.amounts
        return lease

    def settled(self, request_id: str, spent: Amounts) -> None:
        """What was not used can be spent again."""
        if request_id in self._spends:
            lease, amounts = self._spends.pop(request_id)
            for unit in lease.left.keys() & amounts.keys():
                lease.left[unit] += amounts[unit] - booked(amounts[unit], spent.get(unit, 0))

    def withdraw(self, tenant: str) -> list[str]:
        """Take a tenant's leases out of use; the ids to end once everything spent from them was told."""
        for who in [who for who in self._leases if who[0] == tenant]:
            self._ending[tenant].add(self._leases.pop(who).hold.request_id)
        return list(self._ending[tenant])

    def ended(self, tenant: str, ids: Iterable[str]) -> None:
        self._ending[tenant].difference_update(ids)

    async def release(self, tenant: str) -> None:
        """Give back what a tenant has here. Raises StateUnavailable: the rest is given back another time."""
        if any(lease.spent for who, lease in self._leases.items() if who[0] == tenant):
            await self._again(tenant)
        else:
            await self._end(tenant, self.withdraw(tenant))

    async def renew(self) -> None:
        """Take new leases for who asked lately, and give the old ones back. Raises StateUnavailable."""
        now = time.monotonic()
        self._asked = {who: last for who, last in self._asked.items() if now - last[1] < ACTIVE_S}
        for tenant in {who[0] for who in self._leases if who not in self._asked}:
            await self.release(tenant)
        for who, (hold, _) in list(self._asked.items()):
            await self._renewed(who, hold)

    async def close(self) -> None:
        """Give everything back. Raises StateUnavailable."""
        await stopped(list(self._recalls.values()))
        self._asked.clear()
        await self.renew()

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

    async def _renewed(self, who: Who, hold: Hold) -> None:
        if who in self._leases and self._leases[who].spent:
            await self._again(hold.tenant)
        with self._passing(hold.tenant):
            taken = None if hold.tenant in self._fleet.seen.wanted else await self._taken(hold)
            if who in self._leases:
                self._ending[hold.tenant].add(self._leases.pop(who).hold.request_id)
            if taken:
                self._leases[who] = taken
        await self._end(hold.tenant, list(self._ending[hold.tenant]))

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
        return Lease(asked, reply.counters, standing, dict(amounts), min(map(_until, reply.counters), default=math.inf))

    async def _ask(self, lease: Hold, bounds: Sequence[Bound]) -> Reply:
        self._taking.add(lease.request_id)
        try:
            return await self._counts.hold(lease, bounds, AHEAD)
        except StateUnavailable:  # it may be there nevertheless
            self._ending[lease.tenant].add(lease.request_id)
            raise
        finally:
            self._taking.discard(lease.request_id)

    async def _end(self, tenant: str, ids: Iterable[str]) -> None:
        for lease in ids:
            await self._counts.settle(tenant, lease, lease=True)
            self.ended(tenant, [lease])


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
