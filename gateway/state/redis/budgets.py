"""Holds and settlements of many gateways: judged in Redis, recorded in each machine's own file.

A hold is made in Redis, then committed to the file, then returned (`admission.py`). A settlement is committed to the
file, then told to Redis; if Redis misses it, the file is told again later. So Redis may forget everything at any moment
(`rebuild.py`), and while it is away holds are taken from leases (`lease.py`).

Invariants: what Redis counts is never less than what the files say of the machines that take part; a request whose hold
was returned is on file. A machine out of reach at the very time when Redis loses its counters is waited for PATIENCE_S;
what it had spent is missing then, until it is back. One out of reach for DEAD_S is taken for dead; should it live, what
its requests use after their last checkpoint is missing until it is back.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from gateway.state import Amounts, Balance, Clock, Hold, Limit, StateUnavailable
from gateway.state.background import attempted, every, stopped
from gateway.state.counters import balances, bind, bind_hold, metered
from gateway.state.redis.admission import RESTLESS, ROUNDS, Admission, Tried
from gateway.state.redis.counts import Counts, Member
from gateway.state.redis.deadline import finished
from gateway.state.redis.fleet import BEAT_S, DEAD_S, Fleet
from gateway.state.redis.lease import Leases
from gateway.state.redis.leasing import RENEW_S, Leasing
from gateway.state.redis.rebuild import Rebuild
from gateway.state.redis.server import Server
from gateway.state.redis.sweep import Push, Sweep
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.sqlite.counters import Total
from gateway.state.sqlite.database import Database

STOP_S = 5.0  # a stop that takes longer is mistaken for one that hangs, and killed


class RedisBudgets:
    """`gateway.state.Budgets` over Redis and the file `local` of this machine, whose random name is `node`.

    `push` sends journal rows to the shared journal.
    """

    def __init__(
        self,
        client: Server,
        local: SqliteBudgets,
        database: Database,
        node: str,
        clock: Clock,
        push: Push,
        dead_s: float = DEAD_S,
    ) -> None:
        member = Member(node, secrets.token_hex(8))
        self._local, self._clock = local, clock
        self._counts = Counts(client, member)
        self._fleet = Fleet(client, database, member, dead_s)
        self._leases = Leases()
        self._tried: dict[str, Tried] = {}
        self._sweep = Sweep(client, self._counts, local, self._fleet, self._ours, push, clock)
        self._rebuild = Rebuild(client, self._counts, local, self._fleet, self._leases, self._sweep, clock)
        self._leasing = Leasing(self._counts, self._fleet, self._rebuild, self._leases, clock)
        self._admission = Admission(self._counts, local, self._leases, self._leasing, self._rebuild, clock, self._tried)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Raises StateUnavailable."""
        await self._fleet.start()
        loops = ((self._fleet.beat, BEAT_S), (self._tend, BEAT_S), (self._leasing.renew, RENEW_S))
        self._tasks = [asyncio.create_task(every(pause, work)) for work, pause in loops]

    async def stop(self) -> None:
        """Tell what Redis missed, give the leases back and leave: all that can be done within STOP_S."""
        await stopped(self._tasks)
        await self._leasing.stop()
        with suppress(StateUnavailable, TimeoutError):
            async with asyncio.timeout(STOP_S):
                await attempted(self._leasing.release, self._rebuild.untold | self._leases.tenants)
                await self._fleet.stop()
        await self._rebuild.stop()

    async def open(self, tenant: str) -> None:
        """Have its counters whole before its first hold, which would wait for others. Raises StateUnavailable."""
        await self._rebuild.ensure(tenant)

    async def hold(self, hold: Hold) -> list[Balance]:
        self._tried.setdefault(hold.request_id, Tried(hold))
        self._leasing.asked(hold)
        return await finished(self._admission.hold(hold, bind_hold(hold)))

    async def checkpoint(self, request_id: str, spent: Amounts, columns: Mapping[str, Any] | None = None) -> None:
        await finished(self._checkpoint(request_id, spent, columns or {}))

    async def settle(self, request_id: str, spent: Amounts, row: Mapping[str, Any] | None = None) -> list[Balance]:
        """While Redis is away nobody knows the balances: the list is empty then, too."""
        return await finished(self._settle(request_id, spent, row))

    async def balances(
        self,
        tenant: str,
        key: str,
        tenant_limits: Sequence[Limit],
        key_limits: Sequence[Limit],
        at: float,
        zone: str = "UTC",
    ) -> list[Balance]:
        bounds = bind(tenant, key, tenant_limits, key_limits)
        for _ in range(ROUNDS):
            standings = await self._counts.look(tenant, metered(bounds), at, zone)
            if standings is not None:
                return balances(bounds, standings, at, zone)
            await self._rebuild.ensure(tenant)
        raise StateUnavailable(RESTLESS)

    async def recover(self, alive: Callable[[str], bool]) -> list[str]:
        """Here the file's orphans are settled even while Redis is away; it is told later."""
        self._rebuild.untold |= {held.tenant for held in await self._local.pending() if not alive(held.owner)}
        recovered = await self._local.recover(alive)
        await attempted(self._rebuild.told, set(self._rebuild.untold))
        with suppress(StateUnavailable):
            recovered += await self._sweep.run(alive)
        return recovered

    async def open_holds(self) -> list[str]:
        return sorted({*await self._local.open_holds(), *await self._sweep.open_holds()})

    async def _checkpoint(self, request_id: str, spent: Amounts, columns: Mapping[str, Any]) -> None:
        """What Redis misses is known less well, should this machine never come back; nothing else."""
        await self._local.checkpoint(request_id, spent, columns)
        if request_id in self._tried:
            with suppress(StateUnavailable):
                await self._counts.checkpoint(self._tried[request_id].hold.tenant, request_id, spent, columns)

    async def _settle(self, request_id: str, spent: Amounts, row: Mapping[str, Any] | None) -> list[Balance]:
        tried = self._tried.get(request_id)
        if tried is None:  # it is over, or was never held here
            return await self._local.settle(request_id, spent, row)
        settled, totals = await self._local.booked(request_id, spent, row, tried.counters)
        self._tried.pop(request_id, None)
        self._leases.settled(request_id, spent)
        try:
            return await self._told(tried.hold, totals, first=bool(settled))
        except StateUnavailable:
            self._rebuild.untold.add(tried.hold.tenant)
            return []

    async def _told(self, hold: Hold, totals: Sequence[Total], first: bool) -> list[Balance]:
        """The balances, once Redis knows; of a settlement that was not the first there are none."""
        bounds, now = bind_hold(hold) if first else (), self._clock.now()
        meters = metered(bounds)
        standings = await self._counts.settle(hold.tenant, hold.request_id, totals, meters, now, hold.zone)
        return balances(bounds, standings, now, hold.zone)

    async def _tend(self) -> None:
        """What the last beat showed, and what Redis missed."""
        seen = self._fleet.seen
        await attempted(self._leasing.release, seen.wanted)
        await attempted(self._rebuild.ensure, {*seen.lost, *self._rebuild.untold})

    def _ours(self) -> set[str]:
        return self._tried.keys() | self._leases.ids
