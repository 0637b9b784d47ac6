"""What earlier builds found out about documents, by fingerprint: a cache in `ingest.db`, beside the versions.

Invariants: what it holds follows from the documents alone, whichever version is served; it may be deleted at any time,
and then the next build parses everything again. A build that was killed has kept what it parsed until then.
"""

import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

FORMAT: Final = 1  # of the table and of signatures; a file of another one is made anew
COMMIT_EVERY: Final = 500  # documents: a second of parsing


@dataclass(frozen=True, slots=True)
class Seen:
    """A document: its id, and its signature or why it is none."""

    id: str
    failure: str
    signature: bytes


class Cache(Collection[str]):
    """The fingerprints that were seen, and what of. A context manager; from one thread, and one process at a time."""

    def __init__(self, path: Path, patience_s: float = 5.0) -> None:
        self._path, self._patience_s = path, patience_s

    def __enter__(self) -> Self:
        self.database = sqlite3.connect(self._path, self._patience_s, isolation_level=None)
        self._uncommitted = 0
        try:
            self._prepare()
        except sqlite3.OperationalError:  # it cannot be written just now, which a new one could not be either
            raise
        except sqlite3.DatabaseError:  # damaged: it is a cache
            self.database.close()
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
            self.database = sqlite3.connect(self._path, self._patience_s, isolation_level=None)
            self._prepare()
        return self

    def __exit__(self, *_: object) -> None:
        if self.database.in_transaction:
            self.database.execute("COMMIT")
        self.database.close()

    def __contains__(self, fingerprint: object) -> bool:
        return self.database.execute("SELECT 1 FROM seen WHERE fingerprint = ?", (fingerprint,)).fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        return (row[0] for row in self.database.execute("SELECT fingerprint FROM seen"))

    def __len__(self) -> int:
        return int(self.database.execute("SELECT count(*) FROM seen").fetchone()[0])

    def get(self, fingerprint: str) -> Seen | None:
        row = self.database.execute("SELECT id, failure, signature FROM seen WHERE fingerprint = ?", (fingerprint,))
        return next((Seen(*found) for found in row), None)

    def put(self, fingerprint: str, seen: Seen) -> None:
        self._begin()
        self.database.execute(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", (fingerprint, seen.id, seen.failure, seen.signature)
        )

    def is_new(self, document_id: str, fingerprint: str) -> bool:
        """Note that a document is there, in this build; False where one of the same id was there before."""
        self._begin()
        row = self.database.execute("INSERT OR IGNORE INTO present VALUES (?, ?)", (document_id, fingerprint))
        return row.rowcount == 1

    def is_there(self, document_id: str) -> bool:
        row = self.database.execute("SELECT 1 FROM present WHERE id = ?", (document_id,))
        return row.fetchone() is not None

    def forget_others(self) -> None:
        """Drop what is known of documents that are not there any more."""
        self._begin()
        self.database.execute("DELETE FROM seen WHERE fingerprint NOT IN (SELECT fingerprint FROM present)")

    def _prepare(self) -> None:
        if self.database.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("damaged")
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = NORMAL")  # the last documents before a power cut are parsed again
        if self.database.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
            self.database.execute("DROP TABLE IF EXISTS seen")
        self.database.execute(
            "CREATE TABLE IF NOT EXISTS seen (fingerprint TEXT PRIMARY KEY, id TEXT, failure TEXT, signature BLOB)"
            " WITHOUT ROWID"
        )
        self.database.execute(f"PRAGMA user_version = {FORMAT}")
        self.database.execute("CREATE TEMP TABLE present (id TEXT PRIMARY KEY, fingerprint TEXT) WITHOUT ROWID")

    def _begin(self) -> None:
        self._uncommitted += 1
        if self.database.in_transaction and self._uncommitted >= COMMIT_EVERY:
            self.database.execute("COMMIT")
            self._uncommitted = 0
        if not self.database.in_transaction:
            self.database.execute("BEGIN")
