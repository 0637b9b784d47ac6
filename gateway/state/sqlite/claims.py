"""Who makes an answer that several processes on one machine ask for: a small SQLite file beside the state.

Nothing here must outlive the processes, so nothing waits for the disk (`synchronous = OFF`): a claim costs a miss some
0.1 ms, and the state's own lock is not taken for it. A file that a power cut damaged is never read again: its name has
the kernel's boot, and whoever opens another one removes those of earlier boots, whose owners are all dead.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from gateway.state import CLAIM_S, StateUnavailable
from gateway.state.owners import boot
from gateway.state.sqlite.database import MEMORY

T = TypeVar("T")

BUSY_S = 1.0  # for another process's claim, which takes microseconds; the answer is made anyway after that
_TABLE = "CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL, at REAL NOT NULL) STRICT"


class SqliteClaims:
    """`gateway.state.Claims` of the processes that share the state file `path`, or of this one alone (`:memory:`)."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._thread = ThreadPoolExecutor(1, "sqlite-claims")

    @classmethod
    def open(cls, path: str) -> Self:
        """Raises StateUnavailable."""
        try:
            return cls(_opened(path))
        except (sqlite3.Error, OSError) as error:
            raise StateUnavailable(f"{path} cannot keep claims beside it: {error}") from error

    async def claim(self, key: str, owner: str, alive: Callable[[str], bool], at: float) -> bool:
        return await self._do(partial(_claim, key=key, owner=owner, alive=alive, at=at))

    async def release(self, key: str, owner: str) -> None:
        await self._do(partial(_release, key=key, owner=owner))

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)
        self._db.close()

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, work)

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                return work(self._db)
        except sqlite3.Error as error:
            raise StateUnavailable(f"the claims cannot be kept ({error.sqlite_errorname})") from error


def _opened(path: str) -> sqlite3.Connection:
    place = path if path == MEMORY else f"{path}.claims-{boot()[:8]}"
    if path != MEMORY:
        _remove_old(Path(path), Path(place).name)
    db = sqlite3.connect(place, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(_TABLE)
    return db


def _remove_old(path: Path, now: str) -> None:
    for file in path.parent.glob(f"{path.name}.claims-*"):
        if not file.name.startswith(now):
            with suppress(OSError):  # another process was quicker
                file.unlink()


def _claim(db: sqlite3.Connection, key: str, owner: str, alive: Callable[[str], bool], at: float) -> bool:
    db.execute("DELETE FROM claims WHERE at <= ?", (at - CLAIM_S,))  # there are never more than requests in flight
    row = db.execute("SELECT owner FROM claims WHERE key = ?", (key,)).fetchone()
    if row and row[0] != owner and alive(row[0]):
        return False
    db.execute("REPLACE INTO claims VALUES (?, ?, ?)", (key, owner, at))
    return True


def _release(db: sqlite3.Connection, key: str, owner: str) -> None:
    db.execute("DELETE FROM claims WHERE key = ? AND owner = ?", (key, owner))
