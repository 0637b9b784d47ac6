"""The documents of a collection, those left out among them, as its writer listed them: SQLite in `documents.db`.

Invariants: ids are ordered as bytes; what is not asked for is not in memory.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

DOCUMENTS: Final = "documents.db"
SCHEMA: Final = """
create table if not exists entries (
    id text primary key, fingerprint text not null, title text not null, failure text not null
) without rowid
"""
NOTE: Final = """
insert into entries values (?, ?, ?, ?) on conflict (id) do update
set fingerprint = excluded.fingerprint, title = excluded.title, failure = excluded.failure
where (fingerprint, title, failure) != (excluded.fingerprint, excluded.title, excluded.failure)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A document that was seen. `fingerprint` changes with its content; `failure` says why it is left out, or is ""."""

    id: str
    fingerprint: str
    title: str = ""
    failure: str = ""


class Entries(Mapping[str, Entry]):
    """The entries of a database, by id."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getitem__(self, id: str) -> Entry:
        row = self._connection.execute("select * from entries where id = ?", (id,)).fetchone()
        if row is None:
            raise KeyError(id)
        return Entry(*row)

    def __iter__(self) -> Iterator[str]:
        return (id for (id,) in self._connection.execute("select id from entries order by id"))

    def __len__(self) -> int:
        return int(self._connection.execute("select count(*) from entries").fetchone()[0])

    def values(self) -> Iterator[Entry]:  # type: ignore[override]  # one query, where a view would make one for each
        return (Entry(*row) for row in self._connection.execute("select * from entries order by id"))

    def failed(self) -> int:
        """How many are left out."""
        return int(self._connection.execute("select count(*) from entries where failure != ''").fetchone()[0])


class Listing(Entries):
    """Entries that are being changed. `changed` tells whether any differs from what was there at first."""

    def __init__(self, path: Path) -> None:
        super().__init__(sqlite3.connect(path))
        self._connection.execute("pragma synchronous = off")  # the file is flushed as a whole before it is named
        self._connection.execute(SCHEMA)
        self._connection.commit()
        self._before = self._connection.total_changes

    @property
    def changed(self) -> bool:
        return self._connection.total_changes > self._before

    def note(self, entry: Entry) -> None:
        """Put it in place of what is there under its id."""
        self._connection.execute(NOTE, astuple(entry))

    def drop(self, id: str) -> None:
        """Take it out, if it is there."""
        self._connection.execute("delete from entries where id = ?", (id,))

    def close(self) -> None:
        """Write it all, and let go of the file; again does no harm."""
        with suppress(sqlite3.ProgrammingError):
            self._connection.commit()
        self._connection.close()


def connect(path: Path) -> sqlite3.Connection:
    """Read a database that never changes, from any thread, one at a time."""
    return sqlite3.connect(f"file:{quote(str(path))}?immutable=1", uri=True, check_same_thread=False)
