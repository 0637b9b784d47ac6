"""Holds and settlements in SQLite: each call is one transaction of `holds.py`.

Beside the protocol it offers what a gateway with Redis needs of its own file (`record`, `booked`, `totals`,
`pending`, `settled`): there the file is the record, and the shared counters are rebuilt from it.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from gateway.state import Amounts, Balance, Clock, Hold, Limit
from gateway.state.counters import Counter
from gateway.state.rows import checked_columns, checked_row
from gateway.state.sqlite import counters, holds
from gateway.state.sqlite.counters import Total
from gateway.state.sqlite.database import Database
from gateway.state.sqlite.pending import Pending, owners, pending
from gateway.state.sqlite.terms import terms


class SqliteBudgets:
    """`gateway.state.Budgets` over one file. The clock says when something was settled, and what is long past."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def hold(self, hold: Hold) -> list[Balance]:
        return await self._database.write(partial(holds.hold, hold=hold))

    async def checkpoint(self, request_id: str, spent: Amounts, columns: Mapping[str, Any] | None = None) -> None:
        checked = checked_columns(columns or {})
        work = partial(holds.checkpoint, request_id=request_id, spent=spent, columns=checked)
        await self._database.write(work, patient=True)

    async def settle(self, request_id: str, spent: Amounts, row: Mapping[str, Any] | None = None) -> list[Balance]:
        return (await self.booked(request_id, spent, row, ()))[0]

    async def balances(
        self,
        tenant: str,
        key: str,
        tenant_limits: Sequence[Limit],
        key_limits: Sequence[Limit],
        at: float,
        zone: str = "UTC",
    ) -> list[Balance]:
        asked = terms(tenant, key, tuple(tenant_limits), tuple(key_limits))
        return await self._database.read(partial(holds.standings, terms=asked, at=at, zone=zone))

    async def recover(self, alive: Callable[[str], bool]) -> list[str]:
        now = self._clock.now()
        await self._database.write(partial(_forget, at=now))
        held = await self._database.read(owners)
        orphans = [request_id for request_id, owner in held if not alive(owner)]
        settlements = (partial(holds.settle_orphan, request_id=request_id, at=now) for request_id in orphans)
        done = await asyncio.gather(*map(self._database.write, settlements))  # together: they share one commit
        return [request_id for request_id, settled in zip(orphans, done, strict=True) if settled]

    async def open_holds(self) -> list[str]:
        return [request_id for request_id, _ in await self._database.read(owners)]

    async def record(self, hold: Hold, counters: Sequence[Counter]) -> None:
        """Keep the hold and set its amounts aside on these counters; judges nothing. No-op when it is known."""
        await self._database.write(partial(holds.record, hold=hold, counters=counters))

    async def totals(self, tenant: str) -> list[Total]:
        """The tenant's counters and its keys' whose end is still to come."""
        return await self._database.read(partial(counters.totals, tenant=tenant, at=self._clock.now()))

    async def booked(
        self, request_id: str, spent: Amounts, row: Mapping[str, Any] | None, of: Sequence[Counter]
    ) -> tuple[list[Balance], list[Total]]:
        """Settle, and say how these counters stand then, those that were ever moved."""
        checked, now = None if row is None else checked_row(row), self._clock.now()

        def work(db: sqlite3.Connection) -> tuple[list[Balance], list[Total]]:
            return holds.settle(db, request_id, spent, checked, now), counters.counted(db, of)

        return await self._database.write(work)

    async def pending(self, tenant: str | None = None) -> list[Pending]:
        """The open holds, of one tenant or all, oldest first."""
        return await self._database.read(partial(pending, tenant=tenant))

    async def settled(self, request_ids: Sequence[str]) -> dict[str, bool]:
        """Of those that are known: whether they are settled."""
        return await self._database.read(partial(holds.settled, request_ids=request_ids))


def _forget(db: sqlite3.Connection, at: float) -> None:
    holds.forget(db, at)
    counters.forget(db, at)
