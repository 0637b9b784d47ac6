"""From each schema version to the next, inside the caller's transaction: a file is old or new, never between.

To 2: time zones, labels, scopes, audit, replays, tags; counters kept apart from the limits. What version 1 had spent
and held stays counted in the windows that it was held in (all in UTC; its minutes did not slide).
To 3: what answers save and how often they serve, what changed among them, purges, observations.
To 4: the features of observations, whose table is version 3's; `to_3` makes today's.
To 5: why an answer stopped, which engine made it, and what its checks found; of older rows nobody knows.
"""

import json
import sqlite3

from gateway.state.counters import Bound, Meter, dump_bounds
from gateway.state.limits import parse_limit
from gateway.state.sqlite.tables import TABLES

_ADDED = (
    "ALTER TABLE tenants ADD COLUMN zone TEXT NOT NULL DEFAULT 'UTC'",
    "ALTER TABLE keys ADD COLUMN label TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE keys ADD COLUMN scopes TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE journal ADD COLUMN tags TEXT",
    *(statement for name in ("audit", "settled", "replays", "meta") for statement in TABLES[name]),
)
_OPEN = (
    "INSERT INTO holds (request_id, tenant, owner, zone, bounds, counters, amounts, draft, spent) "
    "VALUES (?, ?, ?, 'UTC', ?, ?, ?, ?, ?)"
)


_OF_ANSWERS = (
    "DROP INDEX answers_of_partition",
    "CREATE INDEX answers_of_partition ON answers (partition)",
    "ALTER TABLE answers ADD COLUMN saves INTEGER NOT NULL DEFAULT 0",
    *(statement for name in ("worth", "changed", "cache", "purges", "observations") for statement in TABLES[name]),
    "INSERT INTO worth (key, priority) SELECT key, 0.0 FROM answers ORDER BY created",
)


def to_2(db: sqlite3.Connection) -> None:
    """Raises sqlite3.Error."""
    for statement in _ADDED:
        db.execute(statement)
    _counters(db)
    _holds(db)


def to_3(db: sqlite3.Connection) -> None:
    """Raises sqlite3.Error."""
    for statement in _OF_ANSWERS:
        db.execute(statement)


def to_4(db: sqlite3.Connection) -> None:
    """Raises sqlite3.Error."""
    db.execute("ALTER TABLE observations ADD COLUMN features TEXT NOT NULL DEFAULT '[]'")


def to_5(db: sqlite3.Connection) -> None:
    """Raises sqlite3.Error."""
    for column in ("cause", "fingerprint", "checks"):
        db.execute(f"ALTER TABLE journal ADD COLUMN {column} TEXT")


def _counters(db: sqlite3.Connection) -> None:
    _replace(db, "counters", "counters_by_end")
    db.execute(
        'INSERT INTO counters SELECT scope, name, unit, "window", "start", "end", '
        "iif(scope = 'tenant', name, coalesce((SELECT tenant FROM keys WHERE id = name), '')), used, held "
        "FROM counters_1"
    )
    db.execute("DROP TABLE counters_1")


def _holds(db: sqlite3.Connection) -> None:
    """An open hold keeps what it holds; one that is on no counter holds nothing, and is dropped."""
    _replace(db, "holds", "holds_by_settled")
    db.execute("INSERT INTO settled SELECT request_id, settled FROM holds_1 WHERE settled IS NOT NULL")
    for hold in db.execute("SELECT * FROM holds_1 WHERE settled IS NULL ORDER BY rowid").fetchall():
        _open_hold(db, hold)
    db.execute("DROP TABLE holds_1")


def _replace(db: sqlite3.Connection, table: str, index: str) -> None:
    """Set the old table aside as `<table>_1` and make the new one."""
    db.execute(f"ALTER TABLE {table} RENAME TO {table}_1")
    db.execute(f"DROP INDEX {index}")
    for statement in TABLES[table]:
        db.execute(statement)


def _open_hold(db: sqlite3.Connection, hold: sqlite3.Row) -> None:
    """Version 1 kept [limit, scope, name, unit, window, start, end] for each limit; `request` limits count nothing."""
    bounds = json.loads(hold["bounds"])
    counters = list(dict.fromkeys(tuple(counter) for _, *counter in bounds if counter[3] != "request"))
    if counters:
        request_id, tenant = hold["request_id"], _tenant(db, *counters[0][:2])
        draft = {"request_id": request_id, "tenant": tenant, "at": max(float(counter[4]) for counter in counters)}
        limits = dump_bounds(Bound(parse_limit(limit), Meter(*meter)) for limit, *meter, _, _ in bounds)
        values = limits, json.dumps(counters), hold["amounts"], json.dumps(draft), hold["spent"]
        db.execute(_OPEN, (request_id, tenant, hold["owner"], *values))


def _tenant(db: sqlite3.Connection, scope: str, name: str) -> str:
    if scope == "tenant":
        return name
    row = db.execute("SELECT tenant FROM keys WHERE id = ?", (name,)).fetchone()
    return row["tenant"] if row else ""
