"""Who makes an answer that several processes on one machine ask for: a small SQLite file beside the state.

Nothing here must outlive the processes, so nothing waits for the disk (`synchronous = OFF`), and the state's own lock
is not taken for it. A claim and its release take 20 us of CPU time, and 60 in another thread: they are made in the
loop's. A file that a power cut damaged is never read again: its name has the kernel's boot, and whoever opens another
one removes those of earlier boots, whose owners are all dead.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from gateway.state import CLAIM_S, StateUnavailable
from gateway.state.owners import boot
from gateway.state.sqlite.database import MEMORY

T = TypeVar("T")

# For another process's claim, which takes 10 us; SQLite looks again after 1 ms, 3 and 8. The loop stands still
# meanwhile, so after that the answer is made anyway.
BUSY_MS = 20
OPEN_S = 10.0  # for others that open it at the same time
_TABLE = "CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL, at REAL NOT NULL) STRICT"


class SqliteClaims:
    """`gateway.state.Claims` of the processes that share the state file `path`, or of this one alone (`:memory:`)."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    def open(cls, path: str) -> Self:
        """Raises StateUnavailable."""
        try:
            return cls(_opened(path))
        except (sqlite3.Error, OSError) as error:
            raise StateUnavailable(f"{path} cannot keep claims beside it: {error}") from error

    async def claim(self, key: str, owner: str, alive: Callable[[str], bool], at: float) -> bool:
        return self._do(partial(_claim, key=key, owner=owner, alive=alive, at=at))

    async def release(self, key: str, owner: str) -> None:
        self._do(partial(_release, key=key, owner=owner))

    async def close(self) -> None:
        self._db.close()

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                return work(self._db)
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)  # a closed connection's error has no name
            raise StateUnavailable(f"the claims cannot be kept ({name})") from error


def _opened(path: str) -> sqlite3.Connection:
    place = path if path == MEMORY else f"{path}.claims-{boot()[:8]}"
    if path != MEMORY:
        _remove_old(Path(path), Path(place).name)
    db = sqlite3.connect(place, timeout=OPEN_S, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(_TABLE)
    db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
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
