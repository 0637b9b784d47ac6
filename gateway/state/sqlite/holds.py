"""The table `holds`: each function is one step of a hold's life, inside one transaction: whole or not at all.

A hold's row keeps the limits it was judged by (`bounds`), the very windows it counts in (`counters`), its amounts, its
draft of the journal's row, and what was spent so far; `settled` is NULL while it is open. The row stays after the
settlement, so that a repeated call finds it, and is forgotten after KEEP.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.state import Amounts, Balance, Hold
from gateway.state.counters import (
    KEEP,
    Bound,
    Counter,
    Live,
    Meter,
    balances,
    bind_hold,
    counter_at,
    dump_bounds,
    load_bounds,
    metered,
    refuse,
)
from gateway.state.rows import drafted, recovered
from gateway.state.sqlite import counters as table
from gateway.state.sqlite import journal

_INSERT = (
    "INSERT INTO holds (request_id, tenant, owner, zone, bounds, counters, amounts, draft) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_SETTLED = (
    "UPDATE holds SET settled = ?, bounds = '[]', counters = '[]', amounts = '{}', draft = '{}', spent = '{}', "
    "columns = '{}' WHERE request_id = ?"
)


@dataclass(frozen=True, slots=True)
class Pending:
    """An open hold as it is kept: `draft` and `columns` are parts of its journal row, `spent` its last checkpoint."""

    request_id: str
    tenant: str
    owner: str
    amounts: Amounts
    counters: tuple[Counter, ...]
    draft: Mapping[str, Any]
    spent: Amounts
    columns: Mapping[str, Any]


def hold(db: sqlite3.Connection, hold: Hold) -> list[Balance]:
    bounds = bind_hold(hold)
    meters = {meter: table.read(db, meter, hold.at) for meter in metered(bounds)}
    if not _known(db, hold.request_id):
        standing = {meter: reading.standing for meter, reading in meters.items()}
        refuse(balances(bounds, standing, hold.at, hold.zone), hold.amounts, partial(_live, db, hold))
        counters = [counter_at(meter, hold.at, hold.zone, reading.latest) for meter, reading in meters.items()]
        _insert(db, hold, counters)
    return standings(db, bounds, hold.at, hold.zone)


def record(db: sqlite3.Connection, hold: Hold, counters: Sequence[Counter]) -> None:
    """Set the hold's amounts aside on these counters, unless it is known. Judges nothing."""
    if not _known(db, hold.request_id):
        _insert(db, hold, counters)


def checkpoint(db: sqlite3.Connection, request_id: str, spent: Amounts, columns: Mapping[str, Any]) -> None:
    row = _open(db, request_id)
    if row is not None:
        texts = _updated(row["spent"], spent), _updated(row["columns"], columns)
        db.execute("UPDATE holds SET spent = ?, columns = ? WHERE request_id = ?", (*texts, request_id))


def _updated(text: str, news: Mapping[Any, Any]) -> str:
    return json.dumps({**json.loads(text), **news})


def settle(
    db: sqlite3.Connection, request_id: str, spent: Amounts, row: Mapping[str, Any] | None, at: float
) -> list[Balance]:
    held = _open(db, request_id)
    if row is not None and (held is not None or not _known(db, request_id)):
        journal.insert(db, row)
    if held is None:
        return []
    _close(db, held, spent, at)
    return standings(db, load_bounds(held["bounds"]), at, held["zone"])


def settle_orphan(db: sqlite3.Connection, request_id: str, at: float) -> bool:
    """At its last checkpoint, with the row that says so. False when somebody settled it before."""
    held = _open(db, request_id)
    if held is None:
        return False
    journal.insert(db, recovered(json.loads(held["draft"]), json.loads(held["columns"])))
    _close(db, held, json.loads(held["spent"]), at)
    return True


def standings(db: sqlite3.Connection, bounds: Iterable[Bound], at: float, zone: str) -> list[Balance]:
    bounds = tuple(bounds)
    return balances(bounds, {meter: table.read(db, meter, at).standing for meter in metered(bounds)}, at, zone)


def owners(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """(request id, owner) of the open holds, oldest first."""
    rows = db.execute("SELECT request_id, owner FROM holds WHERE settled IS NULL ORDER BY rowid")
    return [(row["request_id"], row["owner"]) for row in rows]


def pending(db: sqlite3.Connection, tenant: str | None) -> list[Pending]:
    rows = db.execute(
        "SELECT * FROM holds WHERE settled IS NULL AND (:tenant IS NULL OR tenant = :tenant) ORDER BY rowid",
        {"tenant": tenant},
    )
    return [_pending(row) for row in rows]


def settled(db: sqlite3.Connection, request_ids: Sequence[str]) -> dict[str, bool]:
    rows = db.execute(
        "SELECT request_id, settled IS NOT NULL FROM holds WHERE request_id IN (SELECT value FROM json_each(?))",
        (json.dumps(request_ids),),
    )
    return {request_id: bool(settled) for request_id, settled in rows}


def forget(db: sqlite3.Connection, at: float) -> None:
    """Settlements that are long past."""
    db.execute("DELETE FROM holds WHERE settled < ?", (at - KEEP,))


def _known(db: sqlite3.Connection, request_id: str) -> bool:
    return db.execute("SELECT 1 FROM holds WHERE request_id = ?", (request_id,)).fetchone() is not None


def _open(db: sqlite3.Connection, request_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM holds WHERE request_id = ? AND settled IS NULL", (request_id,)
    ).fetchone()
    return row


def _insert(db: sqlite3.Connection, hold: Hold, counters: Sequence[Counter]) -> None:
    kept: tuple[Any, ...] = (counters, dict(hold.amounts), drafted(hold))
    texts = dump_bounds(bind_hold(hold)), *map(json.dumps, kept)
    db.execute(_INSERT, (hold.request_id, hold.tenant, hold.owner, hold.zone, *texts))
    table.set_aside(db, counters, hold.amounts, hold.tenant)


def _live(db: sqlite3.Connection, hold: Hold, balance: Balance) -> list[Live]:
    name = hold.tenant if balance.scope == "tenant" else hold.key
    return table.live(db, Meter(balance.scope, name, balance.limit.unit, balance.limit.window), hold.at)


def _close(db: sqlite3.Connection, held: sqlite3.Row, spent: Amounts, at: float) -> None:
    table.book(db, _counters(held), json.loads(held["amounts"]), spent)
    db.execute(_SETTLED, (at, held["request_id"]))


def _counters(held: sqlite3.Row) -> tuple[Counter, ...]:
    return tuple(Counter(*counter) for counter in json.loads(held["counters"]))


def _pending(row: sqlite3.Row) -> Pending:
    amounts, draft, spent, columns = (json.loads(row[name]) for name in ("amounts", "draft", "spent", "columns"))
    return Pending(row["request_id"], row["tenant"], row["owner"], amounts, _counters(row), draft, spent, columns)
