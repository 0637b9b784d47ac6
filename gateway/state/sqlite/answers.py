"""Cached answers in SQLite. Each `put` also sweeps what has expired by then, so the table cannot only grow.

A `put` waits for the settlement that follows it, to share its commit.
"""

import sqlite3
from functools import partial

from gateway.state import Entry
from gateway.state.sqlite.database import Database


class SqliteAnswers:
    """`gateway.state.Answers` over one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str, at: float) -> Entry | None:
        return await self._database.read(partial(_get, key=key, at=at), brief=True)

    async def put(self, entry: Entry) -> None:
        await self._database.write(partial(_put, entry=entry), patient=True)

    async def vectors(self, partition: str, at: float) -> list[tuple[str, bytes]]:
        return await self._database.read(partial(_vectors, partition=partition, at=at))

    async def purge(self, tag: str | None = None) -> int:
        return await self._database.write(partial(_purge, tag=tag))

    async def count(self) -> int:
        return await self._database.read(_count)


def _get(db: sqlite3.Connection, key: str, at: float) -> Entry | None:
    row = db.execute("SELECT * FROM answers WHERE key = ? AND expires > ?", (key, at)).fetchone()
    if row is None:
        return None
    tags = tuple(tag for (tag,) in db.execute("SELECT tag FROM tags WHERE key = ? ORDER BY tag", (key,)))
    return Entry(**dict(row), tags=tags)


def _put(db: sqlite3.Connection, entry: Entry) -> None:
    db.execute("DELETE FROM answers WHERE key = ? OR expires <= ?", (entry.key, entry.created))
    row = (entry.key, entry.partition, entry.body, entry.created, entry.expires, entry.vector, entry.question)
    db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    db.executemany("INSERT INTO tags VALUES (?, ?)", [(tag, entry.key) for tag in set(entry.tags)])


def _vectors(db: sqlite3.Connection, partition: str, at: float) -> list[tuple[str, bytes]]:
    rows = db.execute(
        "SELECT key, vector FROM answers WHERE partition = ? AND expires > ? AND vector IS NOT NULL "
        "ORDER BY created, key",
        (partition, at),
    )
    return [(row["key"], row["vector"]) for row in rows]


def _purge(db: sqlite3.Connection, tag: str | None) -> int:
    if tag is None:
        return db.execute("DELETE FROM answers").rowcount
    return db.execute("DELETE FROM answers WHERE key IN (SELECT key FROM tags WHERE tag = ?)", (tag,)).rowcount


def _count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM answers").fetchone()[0])
