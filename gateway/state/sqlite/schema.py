"""What an SQLite state file looks like, and how a connection to it is set up. Knows the tables, not what they mean.

`user_version` numbers the schema; a file of a newer version is refused and left alone.
"""

import sqlite3
import time

from gateway.state import StateUnavailable

VERSION = 1
BUSY = 5.0  # seconds to wait for another process's transaction; ours take milliseconds

_TABLES = (
    """CREATE TABLE tenants (name TEXT PRIMARY KEY, limits TEXT NOT NULL, created REAL NOT NULL) STRICT""",
    """CREATE TABLE keys (
        id TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenants (name), digest BLOB NOT NULL, limits TEXT NOT NULL,
        created REAL NOT NULL, expires REAL, revoked REAL
    ) STRICT""",
    """CREATE INDEX keys_of_tenant ON keys (tenant, created)""",
    """CREATE TABLE counters (
        scope TEXT NOT NULL, name TEXT NOT NULL, unit TEXT NOT NULL, "window" TEXT NOT NULL,
        "start" INTEGER NOT NULL, "end" INTEGER NOT NULL,
        used INTEGER NOT NULL CHECK (used >= 0), held INTEGER NOT NULL CHECK (held >= 0),
        PRIMARY KEY (scope, name, unit, "window", "start", "end")
    ) STRICT, WITHOUT ROWID""",
    """CREATE INDEX counters_by_end ON counters ("end")""",
    """CREATE TABLE holds (
        request_id TEXT PRIMARY KEY, owner TEXT NOT NULL, bounds TEXT NOT NULL, amounts TEXT NOT NULL,
        spent TEXT NOT NULL DEFAULT '{}', settled REAL
    ) STRICT""",
    """CREATE INDEX holds_by_settled ON holds (settled)""",  # the open ones are those with NULL
    """CREATE TABLE answers (
        key TEXT PRIMARY KEY, partition TEXT NOT NULL, body BLOB NOT NULL, created REAL NOT NULL, expires REAL NOT NULL,
        vector BLOB, question TEXT NOT NULL
    ) STRICT""",
    """CREATE INDEX answers_of_partition ON answers (partition, created)""",
    """CREATE INDEX answers_by_expires ON answers (expires)""",
    """CREATE TABLE tags (
        tag TEXT NOT NULL, key TEXT NOT NULL REFERENCES answers (key) ON DELETE CASCADE, PRIMARY KEY (tag, key)
    ) STRICT, WITHOUT ROWID""",
    """CREATE INDEX tags_of_answer ON tags (key)""",
    """CREATE TABLE journal (
        request_id TEXT PRIMARY KEY, at REAL NOT NULL, tenant TEXT NOT NULL, key TEXT, model TEXT, backend TEXT,
        prompt TEXT, prompt_version TEXT, prompt_digest TEXT, status ANY, error TEXT, stop TEXT, cache TEXT,
        input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER, token_source TEXT, cost_nano INTEGER,
        duration_ms REAL, ttft_ms REAL, detail TEXT
    ) STRICT""",
    """CREATE INDEX journal_by_time ON journal (at)""",
    """CREATE INDEX journal_of_tenant ON journal (tenant, at)""",
)


def connect(path: str) -> sqlite3.Connection:
    """A connection in autocommit mode, for use by one thread at a time. Raises sqlite3.Error."""
    db = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA synchronous = FULL")  # a commit is on the disk before it is acknowledged
    db.execute("PRAGMA foreign_keys = ON")
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
        for statement in _TABLES:
            db.execute(statement)
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
