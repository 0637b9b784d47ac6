"""The passages of a part, by position from 0: SQLite in `<part>.passages.db`, read as it is asked for.

Knows neither vectors nor words. A *kind* is what passages of equal access labels and metadata have in common: there are
far fewer of them than passages, so a scope is compared with kinds, and `<part>.kinds.npy`, int32 [rows], says the kind
of each position.

Invariants: nothing of a passage stays in memory; a passage has exactly one kind, so that what a scope does not allow
by name is not seen.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from retrieval.collection.entries import connect
from retrieval.passage import Passage
from retrieval.protocols import Rows
from retrieval.query import Scope

PASSAGES: Final = "passages.db"
SCHEMA: Final = """
create table documents (number integer primary key, id text not null unique, title text not null);
create table kinds (
    number integer primary key, access text not null, metadata text not null, unique (access, metadata)
);
create table facets (key text, value text, kind integer, primary key (key, value, kind)) without rowid;
create table passages (
    position integer primary key, id text not null, document integer not null,
    heading text not null, text text not null, start integer not null, "end" integer not null,
    section_start integer not null, section_end integer not null,
    kind integer not null, digest blob not null
);
create index by_place on passages (document, section_start, start);
create index by_digest on passages (digest);
"""
COLUMNS: Final = """
select p.position, p.id, d.id, d.title, p.heading, p.text, p.start, p."end", p.section_start, p.section_end,
    k.access, k.metadata
from passages p join documents d on d.number = p.document join kinds k on k.number = p.kind
"""
SOME: Final = f"{COLUMNS} where p.position in (select value from json_each(?))"
NEAR: Final = 32  # passages on each side, some 6,000 tokens: a book without headings is one section of thousands
HERE: Final = "from passages where position = :position"
AROUND: Final = f"""{COLUMNS} where (p.document, p.section_start, p.section_end) =
    (select document, section_start, section_end {HERE}) and (p.start, p.position)"""
SECTION: Final = f"""
select * from ({AROUND} <= (select start, position {HERE}) order by p.start desc, p.position desc limit {NEAR + 1})
union all
select * from ({AROUND} > (select start, position {HERE}) order by p.start, p.position limit {NEAR})
order by start, position"""
RANGE: Final = f"{COLUMNS} where p.position >= ? and p.position < ? order by p.position"


class Passages:
    """A database of passages, for any thread; `connection` is its owner's to close."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> "Passages":
        """A database that never changes."""
        return cls(connect(path))

    def __len__(self) -> int:
        """Positions in use. Those of a part have no gaps."""
        return int(self._one("select coalesce(max(position) + 1, 0) from passages"))

    def read(self, positions: Sequence[int]) -> list[Passage]:
        """In the order of `positions`. Raises LookupError for one that is not there."""
        found = dict(map(_decoded, self._connection.execute(SOME, (json.dumps(list(positions)),))))
        return [found[position] for position in positions]

    def section(self, position: int) -> list[tuple[int, Passage]]:
        """The passages of a position's section, NEAR on each side at most, in reading order, with their positions."""
        return list(map(_decoded, self._connection.execute(SECTION, {"position": position})))

    def between(self, first: int, after: int) -> list[tuple[int, Passage]]:
        """The passages from one position to before another, with their positions."""
        return list(map(_decoded, self._connection.execute(RANGE, (first, after))))

    def of(self, document: str) -> Rows:
        """The positions of a document's passages, ascending; none when it is not there."""
        query = "select position from passages where document = (select number from documents where id = ?) order by 1"
        return np.fromiter((position for (position,) in self._connection.execute(query, (document,))), np.int64)

    def documents(self) -> Iterator[str]:
        """The ids of all documents that ever had passages here."""
        return (id for (id,) in self._connection.execute("select id from documents"))

    def made_of(self, digests: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
        """For each of these digests (16 bytes of SHA-256 over `Passage.embedded`) that is there: it, and a position."""
        for digest in digests:
            row = self._connection.execute(
                "select position from passages where digest = ? limit 1", (digest,)
            ).fetchone()
            if row is not None:
                yield digest, int(row[0])

    def labels(self) -> set[frozenset[str]]:
        """Every set of access labels that a passage has."""
        rows = self._connection.execute("select distinct access from kinds")
        return {frozenset(json.loads(access)) for (access,) in rows}

    def allowed(self, scope: Scope) -> NDArray[np.bool_] | None:
        """Which kinds are within a scope, [kinds]; None for all of them."""
        count = int(self._one("select count(*) from kinds"))
        allowed = np.zeros(count, np.bool_)
        allowed[self._seen(scope.access)] = True
        for key, values in scope.where.items():
            asked = np.zeros(count, np.bool_)
            asked[self._having(key, values)] = True
            allowed &= asked
        return None if allowed.all() else allowed

    def _seen(self, held: frozenset[str]) -> Rows:
        rows = self._connection.execute("select distinct access from kinds")
        seen = [access for (access,) in rows if held.issuperset(json.loads(access))]
        return self._numbers(
            "select number from kinds where access in (select value from json_each(?))", json.dumps(seen)
        )

    def _having(self, key: str, values: Sequence[str]) -> Rows:
        """As JSON, which may hold what is no Unicode and then equals nothing."""
        query = (
            "select kind from facets where key = json_extract(?, '$[0]') and value in (select value from json_each(?))"
        )
        return self._numbers(query, json.dumps([key]), json.dumps(values))

    def _numbers(self, query: str, *arguments: str) -> Rows:
        return np.fromiter((number for (number,) in self._connection.execute(query, arguments)), np.int64)

    def _one(self, query: str) -> Any:
        return self._connection.execute(query).fetchone()[0]


def _decoded(row: tuple[Any, ...]) -> tuple[int, Passage]:
    position, id, document, title, heading, text, start, end, *section, access, metadata = row
    first, last = section
    labels = tuple(json.loads(access))
    return position, Passage(
        id, document, title, heading, text, start, end, (first, last), labels, json.loads(metadata)
    )
