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

import orjson

from gateway.state import Amounts, Balance, Hold
from gateway.state.counters import KEEP, Counter, Live, Meter, balances, counter_at, moved, refuse
from gateway.state.rows import drafted, recovered
from gateway.state.sqlite import counters as table
from gateway.state.sqlite import journal
from gateway.state.sqlite.terms import Terms, kept_terms, terms

_OVER = "EXISTS (SELECT 1 FROM journal WHERE request_id = ?1) OR EXISTS (SELECT 1 FROM settled WHERE request_id = ?1)"
_INSERT = (
    "INSERT INTO holds (request_id, tenant, owner, zone, bounds, counters, amounts, draft, spent) "
    f"SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE NOT ({_OVER}) ON CONFLICT DO NOTHING"
)


def hold(db: sqlite3.Connection, hold: Hold) -> list[Balance]:
    """It is judged once it is written: a refusal undoes that, as any exception does."""
    (bounds, meters, _), at, zone = _terms(hold), hold.at, hold.zone
    read = table.read(db, meters, at)
    standings = {meter: reading.standing for meter, reading in read.items()}
    counted = [meter for meter in meters if meter.unit in hold.amounts]
    counters = [counter_at(meter, at, zone, read[meter].latest) for meter in counted]
    if _inserted(db, hold, counters):
        refuse(balances(bounds, standings, at, zone), hold.amounts, partial(_live, db, hold))
        table.set_aside(db, counters, hold.amounts, hold.tenant)
        for meter, counter in zip(counted, counters, strict=True):
            standings[meter] = moved(standings[meter], counter, hold.amounts[meter.unit])
    return balances(bounds, standings, at, zone)


def record(db: sqlite3.Connection, hold: Hold, counters: Sequence[Counter]) -> None:
    """Set the hold's amounts aside on these counters, unless it is known. Judges nothing."""
    if _inserted(db, hold, counters):
        table.set_aside(db, counters, hold.amounts, hold.tenant)


def checkpoint(db: sqlite3.Connection, request_id: str, spent: Amounts, columns: Mapping[str, Any]) -> None:
    held = _open(db, request_id)
    if held is not None:
        texts = _updated(held["spent"], spent), _updated(held["columns"], columns)
        db.execute("UPDATE holds SET spent = ?, columns = ? WHERE request_id = ?", (*texts, request_id))


def settle(
    db: sqlite3.Connection, request_id: str, spent: Amounts, row: Mapping[str, Any] | None, at: float
) -> list[Balance]:
    held = _taken(db, request_id)
    if held is not None:
        _close(db, held, spent, row, at)
        return standings(db, kept_terms(held["bounds"]), at, held["zone"])
    if row is not None and not _over(db, request_id):
        journal.insert(db, row)
    return []


def settle_orphan(db: sqlite3.Connection, request_id: str, at: float) -> bool:
    """At its last checkpoint, with the row that says so. False when somebody settled it before."""
    held = _taken(db, request_id)
    if held is None:
        return False
    row = recovered(json.loads(held["draft"]), json.loads(held["columns"]))
    _close(db, held, json.loads(held["spent"]), row, at)
    return True


def standings(db: sqlite3.Connection, terms: Terms, at: float, zone: str) -> list[Balance]:
    read = table.read(db, terms.meters, at)
    return balances(terms.bounds, {meter: reading.standing for meter, reading in read.items()}, at, zone)


def settled(db: sqlite3.Connection, request_ids: Iterable[str]) -> dict[str, bool]:
    """Of those that are known: whether they are settled."""
    over = {request_id: _over(db, request_id) for request_id in request_ids}
    return {request_id: done for request_id, done in over.items() if done or _open(db, request_id) is not None}


def forget(db: sqlite3.Connection, at: float) -> None:
    """Settlements without a row that are long past."""
    db.execute("DELETE FROM settled WHERE at < ?", (at - KEEP,))


def _over(db: sqlite3.Connection, request_id: str) -> bool:
    return bool(db.execute(f"SELECT {_OVER}", (request_id,)).fetchone()[0])


def _open(db: sqlite3.Connection, request_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT * FROM holds WHERE request_id = ?", (request_id,)).fetchone()
    return row


def _inserted(db: sqlite3.Connection, hold: Hold, counters: Sequence[Counter]) -> bool:
    """False when it is known: nothing is changed."""
    kept = [*map(tuple, counters)], dict(hold.amounts), drafted(hold), dict(hold.spent)
    values = hold.request_id, hold.tenant, hold.owner, hold.zone, _terms(hold).text, *map(_text, kept)
    return db.execute(_INSERT, values).rowcount == 1


def _taken(db: sqlite3.Connection, request_id: str) -> sqlite3.Row | None:
    """The open hold, which is none any more."""
    row: sqlite3.Row | None = db.execute("DELETE FROM holds WHERE request_id = ? RETURNING *", (request_id,)).fetchone()
    return row


def _live(db: sqlite3.Connection, hold: Hold, balance: Balance) -> list[Live]:
    name = hold.tenant if balance.scope == "tenant" else hold.key
    return table.live(db, Meter(balance.scope, name, balance.limit.unit, balance.limit.window), hold.at)


def _terms(hold: Hold) -> Terms:
    return terms(hold.tenant, hold.key, hold.tenant_limits, hold.key_limits)


def _updated(text: str, news: Mapping[Any, Any]) -> str:
    return json.dumps({**json.loads(text), **news})


def _text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an amount of more than 64 bits, where nothing limits it
        return json.dumps(value)


def _close(db: sqlite3.Connection, held: sqlite3.Row, spent: Amounts, row: Mapping[str, Any] | None, at: float) -> None:
    counters = [Counter(*counter) for counter in orjson.loads(held["counters"])]
    table.book(db, counters, json.loads(held["amounts"]), spent)
    if row is None:
        db.execute("INSERT INTO settled VALUES (?, ?)", (held["request_id"], at))
    else:
        journal.insert(db, row)
