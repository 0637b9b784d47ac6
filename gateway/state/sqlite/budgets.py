"""Holds and settlements in SQLite. Each function below runs in one transaction: it happens whole or not at all.

A hold's row keeps the windows it was held in (`bounds`), the amounts, and what was spent so far; `settled` is NULL
while it is open. The row stays after the settlement, so that a repeated call finds it, and is forgotten after KEEP.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from gateway.state import Amounts, Balance, Hold, Limit
from gateway.state.counters import (
    KEEP,
    Bound,
    Counter,
    Standing,
    balances,
    bind,
    bind_hold,
    booked,
    counted,
    dump_bounds,
    load_bounds,
    refuse,
)
from gateway.state.sqlite.database import Database

_WHERE = 'WHERE scope = ? AND name = ? AND unit = ? AND "window" = ? AND "start" = ? AND "end" = ?'


class SqliteBudgets:
    """`gateway.state.Budgets` over one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hold(self, hold: Hold) -> list[Balance]:
        return await self._database.write(partial(_hold, hold=hold))

    async def checkpoint(self, request_id: str, spent: Amounts) -> None:
        await self._database.write(partial(_checkpoint, request_id=request_id, spent=spent))

    async def settle(self, request_id: str, spent: Amounts) -> list[Balance]:
        return await self._database.write(partial(_settle, request_id=request_id, spent=spent))

    async def balances(
        self, tenant: str, key: str, tenant_limits: Sequence[Limit], key_limits: Sequence[Limit], at: float
    ) -> list[Balance]:
        return await self._database.read(partial(_balances, bounds=bind(tenant, key, tenant_limits, key_limits, at)))

    async def recover(self, alive: Callable[[str], bool]) -> list[str]:
        await self._database.write(_forget)
        held = await self._database.read(_open)
        orphans = [request_id for request_id, owner in held if not alive(owner)]
        settlements = (partial(_settle, request_id=request_id, spent=None) for request_id in orphans)
        await asyncio.gather(*map(self._database.write, settlements))  # together: they share one commit
        return orphans

    async def open_holds(self) -> list[str]:
        return [request_id for request_id, _ in await self._database.read(_open)]


def _hold(db: sqlite3.Connection, hold: Hold) -> list[Balance]:
    bounds = bind_hold(hold)
    if db.execute("SELECT 1 FROM holds WHERE request_id = ?", (hold.request_id,)).fetchone() is None:
        refuse(_balances(db, bounds), hold.amounts)
        for counter in counted(bounds):
            _set_aside(db, counter, hold.amounts.get(counter.unit, 0))
        row = (hold.request_id, hold.owner, dump_bounds(bounds), json.dumps(dict(hold.amounts)))
        db.execute("INSERT INTO holds (request_id, owner, bounds, amounts) VALUES (?, ?, ?, ?)", row)
    return _balances(db, bounds)


def _set_aside(db: sqlite3.Connection, counter: Counter, amount: int) -> None:
    db.execute(
        "INSERT INTO counters VALUES (?, ?, ?, ?, ?, ?, 0, ?) ON CONFLICT DO UPDATE SET held = held + excluded.held",
        (*counter, amount),
    )


def _checkpoint(db: sqlite3.Connection, request_id: str, spent: Amounts) -> None:
    db.execute(
        "UPDATE holds SET spent = json_patch(spent, ?) WHERE request_id = ? AND settled IS NULL",
        (json.dumps(dict(spent)), request_id),
    )


def _settle(db: sqlite3.Connection, request_id: str, spent: Amounts | None) -> list[Balance]:
    """`spent` None books the last checkpoint."""
    row = db.execute("SELECT * FROM holds WHERE request_id = ? AND settled IS NULL", (request_id,)).fetchone()
    if row is None:
        return []
    bounds, amounts = load_bounds(row["bounds"]), json.loads(row["amounts"])
    spent = json.loads(row["spent"]) if spent is None else spent
    for counter in counted(bounds):
        held = amounts.get(counter.unit, 0)
        _book(db, counter, held, booked(held, spent.get(counter.unit, 0)))
    db.execute("UPDATE holds SET settled = ? WHERE request_id = ?", (time.time(), request_id))
    return _balances(db, bounds)


def _book(db: sqlite3.Connection, counter: Counter, held: int, used: int) -> None:
    db.execute(f"UPDATE counters SET held = held - ?, used = used + ? {_WHERE}", (held, used, *counter))


def _balances(db: sqlite3.Connection, bounds: Iterable[Bound]) -> list[Balance]:
    bounds = tuple(bounds)
    return balances(bounds, {counter: _standing(db, counter) for counter in counted(bounds)})


def _standing(db: sqlite3.Connection, counter: Counter) -> Standing:
    row = db.execute(f"SELECT used, held FROM counters {_WHERE}", counter).fetchone()
    return Standing(*row) if row else Standing()


def _open(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """(request id, owner), oldest first."""
    rows = db.execute("SELECT request_id, owner FROM holds WHERE settled IS NULL ORDER BY rowid")
    return [(row["request_id"], row["owner"]) for row in rows]


def _forget(db: sqlite3.Connection) -> None:
    past = time.time() - KEEP
    db.execute("DELETE FROM holds WHERE settled < ?", (past,))
    db.execute('DELETE FROM counters WHERE "end" < ? AND held = 0', (past,))
