"""Cached answers in SQLite: each call is one transaction; a purge is several, so that nobody waits long for it.

The schema's triggers count the answers and note which came and went, however that happens. Which one goes first is told
in `gateway.state.eviction`. A `put` and a `used` wait for the settlement that follows them, to share its commit.

Invariant: what was begun before a purge of one of its tags is not there after it, in whichever order they arrive: a
purge leaves its time behind, and `put` looks at that.
"""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from functools import partial

from gateway.state import RUNS_S, Changes, Clock, Entry
from gateway.state.eviction import ENTRIES, LOG, PAGE, SWEPT, worth
from gateway.state.sqlite.database import Database

# Each end on its own: asked for together SQLite would look through the whole log.
_EXTENT = (
    "SELECT epoch, coalesce((SELECT min(number) FROM changed), 1), coalesce((SELECT max(number) FROM changed), 0) "
    "FROM cache"
)


class SqliteAnswers:
    """`gateway.state.Answers` over one file, at most `most` of them."""

    def __init__(self, database: Database, clock: Clock, most: int = ENTRIES) -> None:
        self._database, self._clock, self._most = database, clock, most

    async def get(self, key: str, at: float) -> Entry | None:
        return await self._database.read(partial(_get, key=key, at=at), brief=True)

    async def put(self, entry: Entry) -> None:
        await self._database.write(partial(_put, entry=entry, most=self._most), patient=True)

    async def vectors(self, partition: str, at: float) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        last = 0
        while page := await self._database.read(partial(_vectors, partition=partition, at=at, after=last)):
            yield [(row["key"], row["vector"]) for row in page]
            last = page[-1]["rowid"]

    async def nearest(self, partition: str, vector: bytes, k: int) -> None:
        return None

    async def changes(self, cursor: str | None) -> Changes:
        return await self._database.read(partial(_changes, cursor=cursor))

    async def used(self, key: str, at: float) -> None:
        await self._database.write(partial(_used, key=key), patient=True)

    async def remove(self, key: str) -> bool:
        return await self._database.write(partial(_remove, key=key))

    async def purge(self, tag: str | None = None) -> int:
        work = partial(_purge, tag=tag, at=self._clock.now())
        removed = piece = await self._database.write(work)
        while piece == PAGE:
            piece = await self._database.write(work)
            removed += piece
        return removed

    async def purged(self, tags: Sequence[str], since: float) -> bool:
        return await self._database.read(partial(_purged, tags=tags, since=since), brief=True)

    async def count(self) -> int:
        return await self._database.read(_count)


def _get(db: sqlite3.Connection, key: str, at: float) -> Entry | None:
    row = db.execute("SELECT * FROM answers WHERE key = ? AND expires > ?", (key, at)).fetchone()
    if row is None:
        return None
    tags = tuple(tag for (tag,) in db.execute("SELECT tag FROM tags WHERE key = ? ORDER BY tag", (key,)))
    return Entry(**dict(row), tags=tags)


def _put(db: sqlite3.Connection, entry: Entry, most: int) -> None:
    if _purged(db, entry.tags, entry.created):
        return
    _remove(db, entry.key)
    _sweep(db, entry.created)
    _make_room(db, most)
    row = (entry.key, entry.partition, entry.body, entry.created, entry.expires, entry.vector, entry.question)
    db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, entry.saves))
    db.executemany("INSERT INTO tags VALUES (?, ?)", [(tag, entry.key) for tag in set(entry.tags)])
    db.execute("INSERT INTO worth (key, priority) SELECT ?, age + ? FROM cache", (entry.key, worth(entry.saves, 0)))
    db.execute("DELETE FROM changed WHERE number <= (SELECT max(number) FROM changed) - ?", (LOG,))


def _purged(db: sqlite3.Connection, tags: Sequence[str], since: float) -> bool:
    marks = [_mark(None), *map(_mark, tags)]
    places = ", ".join("?" * len(marks))
    found = db.execute(f"SELECT 1 FROM purges WHERE mark IN ({places}) AND at >= ?", (*marks, since))
    return found.fetchone() is not None


def _sweep(db: sqlite3.Connection, at: float) -> None:
    """Some of what has expired: what is left is for the next call."""
    expired = "SELECT key FROM answers WHERE expires <= ? ORDER BY expires LIMIT ?"
    db.execute(f"DELETE FROM answers WHERE key IN ({expired})", (at, SWEPT))


def _make_room(db: sqlite3.Connection, most: int) -> None:
    """For one more; where the bound was lowered, step by step."""
    for _ in range(min(SWEPT, _count(db) - most + 1)):
        key, priority = db.execute("SELECT key, priority FROM worth ORDER BY priority, rowid LIMIT 1").fetchone()
        db.execute("UPDATE cache SET age = ?", (priority,))
        _remove(db, key)


def _vectors(db: sqlite3.Connection, partition: str, at: float, after: int) -> list[sqlite3.Row]:
    """In the order of the index, so that a page is found without looking at those before."""
    return db.execute(
        "SELECT rowid, key, vector FROM answers WHERE partition = ? AND rowid > ? AND expires > ? "
        "AND vector IS NOT NULL ORDER BY rowid LIMIT ?",
        (partition, after, at, PAGE),
    ).fetchall()


def _changes(db: sqlite3.Connection, cursor: str | None) -> Changes:
    """A key's row says that it changed, and the answer itself what it came to."""
    epoch, first, last = db.execute(_EXTENT).fetchone()
    known, _, number = (cursor or f"{epoch}:{last}").partition(":")
    if known != epoch or not first - 1 <= int(number) <= last:
        return Changes(f"{epoch}:{last}", whole=True)
    rows = db.execute(
        "SELECT number, key, changed.partition, vector FROM changed LEFT JOIN answers USING (key) WHERE number > ? "
        "ORDER BY number LIMIT ?",
        (int(number), PAGE),
    ).fetchall()
    final = {row["key"]: row for row in rows}.values()
    return Changes(
        f"{epoch}:{rows[-1]['number'] if rows else number}",
        tuple((row["partition"], row["key"], row["vector"]) for row in final if row["vector"] is not None),
        tuple((row["partition"], row["key"]) for row in final if row["vector"] is None),
    )


def _used(db: sqlite3.Connection, key: str) -> None:
    of = "SELECT saves, uses + 1 AS uses FROM worth JOIN answers USING (key) WHERE key = ?"
    if row := db.execute(of, (key,)).fetchone():
        db.execute(
            "UPDATE worth SET uses = ?, priority = (SELECT age FROM cache) + ? WHERE key = ?",
            (row["uses"], worth(row["saves"], row["uses"]), key),
        )


def _remove(db: sqlite3.Connection, key: str) -> bool:
    return db.execute("DELETE FROM answers WHERE key = ?", (key,)).rowcount > 0


def _purge(db: sqlite3.Connection, tag: str | None, at: float) -> int:
    """A piece of it; the first one keeps out what was begun before."""
    db.execute("DELETE FROM purges WHERE at <= ?", (at - RUNS_S,))
    db.execute("REPLACE INTO purges VALUES (?, ?)", (_mark(tag), at))
    keys = "SELECT key FROM answers LIMIT :page" if tag is None else "SELECT key FROM tags WHERE tag = :tag LIMIT :page"
    return db.execute(f"DELETE FROM answers WHERE key IN ({keys})", {"tag": tag, "page": PAGE}).rowcount


def _mark(tag: str | None) -> str:
    """What was purged; None is all."""
    return "all" if tag is None else f"tag:{tag}"


def _count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT entries FROM cache").fetchone()[0])
