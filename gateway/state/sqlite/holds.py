"""The table `holds`: each function is one step of a hold's life, inside one transaction: whole or not at all.

An open hold's row keeps the limits it was judged by (`bounds`), the windows it counts in (`counters`), its amounts,
its draft of the journal's row, and what was spent so far. Its settlement replaces it by the row in the journal; where
it has none, by its id in `settled`, which is forgotten after KEEP. So a request is known for as long as its row is.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
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
    moved,
    refuse,
)
from gateway.state.rows import drafted, recovered
from gateway.state.sqlite import counters as table
from gateway.state.sqlite import journal

_INSERT = (
    "INSERT INTO holds (request_id, tenant, owner, zone, bounds, counters, amounts, draft) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_OVER = "EXISTS (SELECT 1 FROM journal WHERE request_id = ?1) OR EXISTS (SELECT 1 FROM settled WHERE request_id = ?1)"


def hold(db: sqlite3.Connection, hold: Hold) -> list[Balance]:
    bounds, at, zone = bind_hold(hold), hold.at, hold.zone
    read = {meter: table.read(db, meter, at) for meter in metered(bounds)}
    standings = {meter: standing for meter, (standing, _) in read.items()}
    if not _known(db, hold.request_id):
        refuse(balances(bounds, standings, at, zone), hold.amounts, partial(_live, db, hold))
        counters = [counter_at(meter, at, zone, latest) for meter, (_, latest) in read.items()]
        counters = [counter for counter in counters if counter.unit in hold.amounts]
        _insert(db, hold, bounds, counters)
        for counter in counters:
            standings[counter.meter] = moved(standings[counter.meter], counter, hold.amounts[counter.unit])
    return balances(bounds, standings, at, zone)


def record(db: sqlite3.Connection, hold: Hold, counters: Sequence[Counter]) -> None:
    """Set the hold's amounts aside on these counters, unless it is known. Judges nothing."""
    if not _known(db, hold.request_id):
        _insert(db, hold, bind_hold(hold), counters)


def checkpoint(db: sqlite3.Connection, request_id: str, spent: Amounts, columns: Mapping[str, Any]) -> None:
    held = _open(db, request_id)
    if held is not None:
        texts = _updated(held["spent"], spent), _updated(held["columns"], columns)
        db.execute("UPDATE holds SET spent = ?, columns = ? WHERE request_id = ?", (*texts, request_id))


def settle(
    db: sqlite3.Connection, request_id: str, spent: Amounts, row: Mapping[str, Any] | None, at: float
) -> list[Balance]:
    held = _open(db, request_id)
    if held is not None:
        _close(db, held, spent, row, at)
        return standings(db, load_bounds(held["bounds"]), at, held["zone"])
    if row is not None and not _over(db, request_id):
        journal.insert(db, row)
    return []


def settle_orphan(db: sqlite3.Connection, request_id: str, at: float) -> bool:
    """At its last checkpoint, with the row that says so. False when somebody settled it before."""
    held = _open(db, request_id)
    if held is None:
        return False
    row = recovered(json.loads(held["draft"]), json.loads(held["columns"]))
    _close(db, held, json.loads(held["spent"]), row, at)
    return True


def standings(db: sqlite3.Connection, bounds: Iterable[Bound], at: float, zone: str) -> list[Balance]:
    bounds = tuple(bounds)
    return balances(bounds, {meter: table.read(db, meter, at)[0] for meter in metered(bounds)}, at, zone)


def settled(db: sqlite3.Connection, request_ids: Iterable[str]) -> dict[str, bool]:
    """Of those that are known: whether they are settled."""
    over = {request_id: _over(db, request_id) for request_id in request_ids}
    return {request_id: done for request_id, done in over.items() if done or _open(db, request_id) is not None}


def forget(db: sqlite3.Connection, at: float) -> None:
    """Settlements without a row that are long past."""
    db.execute("DELETE FROM settled WHERE at < ?", (at - KEEP,))


def _known(db: sqlite3.Connection, request_id: str) -> bool:
    known = "EXISTS (SELECT 1 FROM holds WHERE request_id = ?1)"
    return bool(db.execute(f"SELECT {known} OR {_OVER}", (request_id,)).fetchone()[0])


def _over(db: sqlite3.Connection, request_id: str) -> bool:
    return bool(db.execute(f"SELECT {_OVER}", (request_id,)).fetchone()[0])


def _open(db: sqlite3.Connection, request_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT * FROM holds WHERE request_id = ?", (request_id,)).fetchone()
    return row


def _live(db: sqlite3.Connection, hold: Hold, balance: Balance) -> list[Live]:
    name = hold.tenant if balance.scope == "tenant" else hold.key
    return table.live(db, Meter(balance.scope, name, balance.limit.unit, balance.limit.window), hold.at)


def _insert(db: sqlite3.Connection, hold: Hold, bounds: Sequence[Bound], counters: Sequence[Counter]) -> None:
    kept: tuple[Any, ...] = (counters, dict(hold.amounts), drafted(hold))
    texts = dump_bounds(bounds), *map(json.dumps, kept)
    db.execute(_INSERT, (hold.request_id, hold.tenant, hold.owner, hold.zone, *texts))
    table.set_aside(db, counters, hold.amounts, hold.tenant)


def _updated(text: str, news: Mapping[Any, Any]) -> str:
    return json.dumps({**json.loads(text), **news})


def _close(db: sqlite3.Connection, held: sqlite3.Row, spent: Amounts, row: Mapping[str, Any] | None, at: float) -> None:
    counters = [Counter(*counter) for counter in json.loads(held["counters"])]
    table.book(db, counters, json.loads(held["amounts"]), spent)
    db.execute("DELETE FROM holds WHERE request_id = ?", (held["request_id"],))
    if row is None:
        db.execute("INSERT INTO settled VALUES (?, ?)", (held["request_id"], at))
    else:
        journal.insert(db, row)
