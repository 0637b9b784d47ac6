"""Single values kept with the state, by name, as text."""

import sqlite3
from functools import partial

from gateway.state.sqlite.database import Database


async def get(database: Database, name: str) -> str | None:
    return await database.read(partial(read, name=name))


async def put(database: Database, name: str, value: str) -> None:
    """Replaces the value of that name."""
    await database.write(partial(write, name=name, value=value))


def read(db: sqlite3.Connection, name: str) -> str | None:
    """The same inside a transaction of the caller's."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return row["value"] if row else None


def write(db: sqlite3.Connection, name: str, value: str) -> None:
    """The same inside a transaction of the caller's."""
    db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, value))
