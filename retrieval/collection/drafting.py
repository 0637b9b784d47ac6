"""A part being written: passages into its database, vectors beside them, and the index of vectors at the end.

Knows positions within the part, and nothing of the collection that it becomes a part of.

Invariants: a passage is there only when its vector is, so that whatever a killed writer left can be used; memory does
not grow with passages.
"""

import json
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.collection import digests, manifest
from retrieval.collection.part import KINDS, VECTORS
from retrieval.collection.passages import PASSAGES, SCHEMA, Passages
from retrieval.passage import Passage
from retrieval.protocols import Rows
from retrieval.query import Vectors
from retrieval.vectors import build

SPILLED: Final = "vectors.f16"  # float16 [positions, dimensions]: the index that is made of it keeps no more either
REMEMBERED: Final = 10_000  # documents and kinds whose numbers are not looked up again: passages come by document
CACHE_KIB: Final = 65_536  # the index of digests, in which each passage goes anywhere, of a million passages
UNIT: Final = 0.01  # how far from 1 a length may be: 16-bit numbers put it off by 0.001
PASSAGE: Final = "insert into passages values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class PartDraft:
    """Passages and their vectors, added to files in a folder whose names begin with `name`."""

    def __init__(self, folder: Path, name: str, dimensions: int) -> None:
        self.name = name
        self._folder, self._dimensions = folder, dimensions
        self._database = sqlite3.connect(folder / f"{name}.{PASSAGES}")
        self._database.execute("pragma synchronous = off")  # the file is flushed as a whole before it is named
        self._database.execute(f"pragma cache_size = -{CACHE_KIB}")
        self._database.executescript(SCHEMA)
        self._spilled = (folder / f"{name}.{SPILLED}").open("wb")
        self._rows = 0
        self._document = lru_cache(REMEMBERED)(self._document_number)
        self._kind = lru_cache(REMEMBERED)(self._kind_number)
        self.passages = Passages(self._database)

    def __len__(self) -> int:
        return self._rows

    def add(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        """Raises ValueError for vectors [len(passages), dimensions] that are not of unit length, and for text that is
        not valid Unicode; OSError or sqlite3.Error when it cannot be written. Then nothing of it was added."""
        halves = _halved(vectors, (len(passages), self._dimensions))
        made = [digests.of_text(passage.embedded) for passage in passages]
        self._spilled.seek(self._rows * self._dimensions * halves.itemsize)
        self._spilled.write(halves.tobytes())
        self._spilled.flush()
        try:
            with self._database:
                rows = zip(range(self._rows, self._rows + len(passages)), passages, made, strict=True)
                self._database.executemany(PASSAGE, [self._row(*row) for row in rows])
        except BaseException:  # the numbers that were given since are taken back
            self._document.cache_clear()
            self._kind.cache_clear()
            raise
        self._rows += len(passages)

    def reconstruct(self, positions: Rows) -> Vectors:
        """The vectors at positions, to 16-bit precision."""
        return self._vectors()[positions].astype(np.float32)

    def finish(self, first: int) -> manifest.Part:
        """Write the index of vectors and the kinds, and let go of the files. The part's rows begin with `first`.

        What the index was made of stays until `tidy`: a writer that is killed in between loses nothing. Raises OSError.
        """
        kinds = self._database.execute("select kind from passages order by position")
        np.save(self._folder / f"{self.name}.{KINDS}", np.fromiter((kind for (kind,) in kinds), np.int32, self._rows))
        built = build(self._vectors(), self._folder / f"{self.name}.{VECTORS}")
        self.close()
        return manifest.Part(self.name, first, self._rows, built.kind, built.recall)

    def successor(self) -> "PartDraft":
        """An empty part beside this one."""
        return PartDraft(self._folder, str(int(self.name) + 1), self._dimensions)

    def close(self) -> None:
        """Let go of the files."""
        self._database.close()
        self._spilled.close()

    def _vectors(self) -> "np.memmap[tuple[int, int], np.dtype[np.float16]]":
        return spilled(self._folder / f"{self.name}.{SPILLED}", self._rows, self._dimensions)

    def _row(self, position: int, passage: Passage, made: bytes) -> tuple[object, ...]:
        metadata = json.dumps(dict(passage.metadata), sort_keys=True)
        return (
            position,
            passage.id,
            self._document(passage.document, passage.title),
            passage.heading,
            passage.text,
            passage.start,
            passage.end,
            *passage.section,
            self._kind(json.dumps(passage.access), metadata),
            made,
        )

    def _document_number(self, id: str, title: str) -> int:
        self._database.execute("insert or ignore into documents (id, title) values (?, ?)", (id, title))
        return int(self._database.execute("select number from documents where id = ?", (id,)).fetchone()[0])

    def _kind_number(self, access: str, metadata: str) -> int:
        query = "select number from kinds where access = ? and metadata = ?"
        found = self._database.execute(query, (access, metadata)).fetchone()
        if found is None:
            found = self._database.execute("select coalesce(max(number) + 1, 0) from kinds").fetchone()
            self._database.execute("insert into kinds values (?, ?, ?)", (*found, access, metadata))
            facets = [(key, value, *found) for key, value in json.loads(metadata).items()]
            self._database.executemany("insert into facets values (?, ?, ?)", facets)
        return int(found[0])


def spilled(path: Path, rows: int, dimensions: int) -> "np.memmap[tuple[int, int], np.dtype[np.float16]]":
    """The vectors that were put aside, of at least one row. Raises OSError or ValueError when there are fewer."""
    return np.memmap(path, np.float16, "r", shape=(rows, dimensions))


def of_unit_length(vectors: Vectors) -> NDArray[np.bool_]:
    """Which of some vectors, [any, dimensions], can be compared."""
    whole: NDArray[np.bool_] = np.abs(np.linalg.norm(vectors, axis=1) - 1) <= UNIT  # not a number compares as false
    return whole


def _halved(vectors: Vectors, shape: tuple[int, int]) -> NDArray[np.float16]:
    if vectors.shape != shape:
        raise ValueError(f"vectors for these passages are {shape}, not {vectors.shape}")
    if not of_unit_length(vectors).all():
        raise ValueError("vectors must have length 1")
    return vectors.astype(np.float16)
