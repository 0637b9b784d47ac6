"""Leases: what a process may spend while Redis is away, set aside there beforehand. See `leasing.py` for when.

A hold that is taken from a lease is recorded in the file alone, on the lease's own counters. Knows no Redis. Invariant:
nothing is spent from a lease that is withdrawn, or after its windows.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.state import Amounts, Balance, Hold, Unit
from gateway.state.counters import Counter, bind_hold, booked, oversize

Who = tuple[str, str]  # tenant and key


@dataclass(slots=True)
class Lease:
    """`hold` is what Redis was told; `left` can still be spent, until `until` on the clock."""

    hold: Hold
    counters: tuple[Counter, ...]
    standing: list[Balance]
    left: dict[Unit, int]
    until: float

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
        return True


class Leases:
    """Of one process. `taking` are the ids of those that Redis is being asked for."""

    def __init__(self) -> None:
        self._leases: dict[Who, Lease] = {}
        self._spends: dict[str, tuple[Lease, Amounts]] = {}
        self._ending: defaultdict[str, set[str]] = defaultdict(set)  # withdrawn, and perhaps not ended in Redis yet
        self.taking: set[str] = set()

    @property
    def tenants(self) -> set[str]:
        """Whose leases are in use or about to end."""
        return {tenant for tenant, _ in self._leases} | {tenant for tenant, ids in self._ending.items() if ids}

    @property
    def ids(self) -> set[str]:
        """Those in use, and those about to begin or to end: no sweep may touch them."""
        used = {lease.hold.request_id for lease in self._leases.values()}
        return used.union(self.taking, *self._ending.values())

    def put(self, who: Who, lease: Lease | None) -> None:
        """In place of what there was, which is withdrawn."""
        if old := self._leases.pop(who, None):
            self._ending[who[0]].add(old.hold.request_id)
        if lease:
            self._leases[who] = lease

    def spend(self, hold: Hold, now: float) -> Lease | None:
        """The lease that this hold is taken from, or None."""
        lease = self._leases.get((hold.tenant, hold.key))
        if lease is None or not lease.takes(hold, now):
            return None
        self._spends[hold.request_id] = lease, hold.amounts
        return lease

    def settled(self, request_id: str, spent: Amounts) -> None:
        """What was not used can be spent again."""
        if request_id in self._spends:
            lease, amounts = self._spends.pop(request_id)
            for unit in lease.left.keys() & amounts.keys():
                lease.left[unit] += amounts[unit] - booked(amounts[unit], spent.get(unit, 0))

    def withdraw(self, tenant: str) -> None:
        """Take a tenant's leases out of use."""
        for who in [who for who in self._leases if who[0] == tenant]:
            self.put(who, None)

    def doubt(self, hold: Hold) -> None:
        """Nobody knows whether Redis made this one: it is never used."""
        self._ending[hold.tenant].add(hold.request_id)

    def ending(self, tenant: str) -> list[str]:
        """The ids of those out of use: to be ended in Redis once everything spent from them was told."""
        return list(self._ending[tenant])

    def end(self, tenant: str, ids: Iterable[str]) -> None:
        self._ending[tenant].difference_update(ids)
