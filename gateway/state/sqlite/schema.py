"""How a state file is opened, checked and brought up to date. Knows that there are tables, not what they mean.

`user_version` numbers the schema. An older file is brought up to date (`migrate.py`) in one transaction; a file of a
newer version is refused and left alone.
"""

import sqlite3
import time
from itertools import chain

from gateway.state import StateUnavailable
from gateway.state.lengths import bucket
from gateway.state.sqlite import migrate
from gateway.state.sqlite.tables import TABLES

VERSION = 5
BUSY = 5.0  # seconds to wait for another process's transaction; ours take milliseconds


def connect(path: str) -> sqlite3.Connection:
    """A connection in autocommit mode, for use by one thread at a time. Raises sqlite3.Error."""
    db = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA synchronous = FULL")  # a commit is on the disk before it is acknowledged
    db.execute("PRAGMA foreign_keys = ON")
    db.create_function("bucket", 1, bucket, deterministic=True)
    return db


def prepare(db: sqlite3.Connection, path: str) -> None:
    """Check the file and create what it lacks. Raises StateUnavailable or sqlite3.Error; nothing is changed then."""
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    _enter_wal(db)
    db.execute("BEGIN IMMEDIATE")  # two processes may open a new file at once: the second finds it made
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in chain.from_iterable(TABLES.values()):
            db.execute(statement)
    if version == 1:
        migrate.to_2(db)
    if 1 <= version <= 2:
        migrate.to_3(db)
    if version == 3:
        migrate.to_4(db)
    if 1 <= version <= 4:
        migrate.to_5(db)
    if version < VERSION:
        db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")
    if version > VERSION:
        raise StateUnavailable(
            f"{path} has schema version {version}, this program knows up to {VERSION}: upgrade it, or name another file"
        )


def _enter_wal(db: sqlite3.Connection) -> None:
    """SQLite itself does not wait here for another process that does the same on a new file."""
    deadline = time.monotonic() + BUSY
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
