"""A version of a collection, loaded: the `Index` over files of this machine.

Knows rows: which part a row lies in, and how the rankings of parts become one. A scope is worked out once for each part
and remembered.

Invariants: what a scope does not allow is left out before anything is ranked; a collection never changes, and answers
only vectors of the embedder that built it.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, Self

import numpy as np
from tantivy import Query

from retrieval.collection import files, known, layout, manifest
from retrieval.collection.entries import DOCUMENTS, Entries, connect
from retrieval.collection.errors import CorruptCollection, NoCollection, WrongEmbedder, corruption
from retrieval.collection.manifest import Manifest
from retrieval.collection.part import Bitmap, Part
from retrieval.lexical import Lexical
from retrieval.passage import Passage
from retrieval.protocols import NOTHING, Ranked, Rows
from retrieval.query import Scope, Vectors

LEXICAL: Final = "lexical"
REMOVED: Final = "removed.npy"
SCOPES: Final = 32  # remembered scopes: a byte for each passage in each, 32 MB at a million passages

Key = tuple[frozenset[str], tuple[tuple[str, tuple[str, ...]], ...]]


class Collection:
    """An `Index`. Safe to search from several threads. It keeps its files open: a later version does not touch it."""

    def __init__(
        self, name: str, manifest: Manifest, parts: Sequence[Part], lexical: Lexical, entries: Entries
    ) -> None:
        self._name, self.manifest = name, manifest
        self._parts, self._lexical, self._entries = tuple(parts), lexical, entries
        self._labels = frozenset(labels for part in parts for labels in part.passages.labels())
        self._every_label = frozenset[str]().union(*self._labels)
        # Of the parts, not of `self`: without a cycle its files close as soon as nobody searches it any more.
        self._within = lru_cache(SCOPES)(partial(_worked_out, self._parts, lexical, self._labels))

    @classmethod
    def load(cls, path: Path, embedder_identity: str) -> Self:
        """The current version in a folder, every byte of it checked, and asked what it must know.

        Raises NoCollection, CorruptCollection (which file, and what is wrong with it) or WrongEmbedder.
        """
        version = _current(path)
        try:
            return cls.open(path, version, embedder_identity)
        except CorruptCollection:
            if _current(path) == version:
                raise
            return cls.load(path, embedder_identity)  # it was replaced, and deleted, while it was being read

    @classmethod
    def open(cls, path: Path, version: str, embedder_identity: str) -> Self:
        """One version in a collection's folder. Raises as `load`."""
        with corruption(path.name, version):
            described = manifest.read(path / version)
        if described.embedder != embedder_identity:
            raise WrongEmbedder(path.name, f"was built with {described.embedder}, not with {embedder_identity}")
        with corruption(path.name, version), files.opened(path / version, described.files) as folder:
            collection = cls.of(folder, path.name, described)
            known.ask(collection, described.known, collection.everything)
        return collection

    @classmethod
    def of(cls, folder: Path, name: str, described: Manifest) -> Self:
        """From the files of a version, checked or just written. Raises one of `errors.UNREADABLE`."""
        return cls(name, described, *_opened(folder, described))

    @property
    def name(self) -> str:
        """The folder's."""
        return self._name

    @property
    def version(self) -> str:
        """A digest over everything in it: part of the key of each answer built on it."""
        return self.manifest.version

    @property
    def documents(self) -> int:
        """How many documents it holds."""
        return self.manifest.documents

    @property
    def everything(self) -> Scope:
        """What sees every passage: for the collection's own checks and measurements, never for a caller."""
        return Scope(self._every_label)

    def __len__(self) -> int:
        return self.manifest.passages

    def dense(self, vector: Vectors, k: int, scope: Scope) -> Ranked:
        """By cosine (-1 to 1) to a unit vector [dimensions]. Raises ValueError for any other."""
        query = np.ascontiguousarray(vector, np.float32)
        if query.shape != (self.manifest.dimensions,) or not np.isfinite(query).all():
            raise ValueError(f"a question's vector has {self.manifest.dimensions} finite numbers, not {query.shape}")
        bitmaps, _ = self._within(self._key(scope))
        return _best([part.dense(query, k, seen) for part, seen in zip(self._parts, bitmaps, strict=True)], k)

    def lexical(self, text: str, k: int, scope: Scope) -> Ranked:
        """By BM25 (0 up; a passage without any of the words is left out)."""
        _, where = self._within(self._key(scope))
        return self._lexical.search(text, k, where)

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """In the order of `rows`. Raises LookupError for a row that is none, or was removed."""
        found: dict[int, Passage] = {}
        for part, _, positions in self._located(rows):
            found.update(zip((positions + part.first).tolist(), part.passages.read(positions.tolist()), strict=True))
        return [found[row] for row in rows]

    def vectors(self, rows: Sequence[int]) -> Vectors:
        """float32 [len(rows), dimensions], to 16-bit precision. Raises LookupError as `passages` does."""
        made = np.empty((len(rows), self.manifest.dimensions), np.float32)
        for part, among, positions in self._located(rows):
            made[among] = part.reconstruct(positions)
        return made

    def around(self, row: int) -> list[Passage]:
        """The passages near a row in its section, in reading order, itself among them. Raises LookupError."""
        ((part, _, positions),) = self._located([row])
        return part.section(int(positions[0]))

    def entries(self) -> Entries:
        """Every document that the writer saw, by id; those left out among them."""
        return self._entries

    def rows(self) -> Rows:
        """Every row that is a passage, ascending."""
        return np.concatenate([part.positions() + part.first for part in self._parts] or [NOTHING.rows])

    @property
    def parts(self) -> tuple[Part, ...]:
        """For a writer, which copies what stays."""
        return self._parts

    def _key(self, scope: Scope) -> Key:
        """Equal for scopes that see the same here."""
        where = sorted((key, tuple(values)) for key, values in scope.where.items())
        return scope.access & self._every_label, tuple(where)

    def _located(self, rows: Sequence[int]) -> Iterator[tuple[Part, Bitmap, Rows]]:
        """For each part that has some of `rows`: it, which of them, and their positions in it."""
        asked = np.asarray(rows, np.int64)
        found = 0
        for part in self._parts:
            among = (asked >= part.first) & (asked < part.first + len(part.kinds))
            if among.any():
                found += int(among.sum())
                yield part, among, part.held(asked[among] - part.first)
        if found < len(asked):
            raise LookupError(f"collection {self.name!r} has no such row among {asked.min()} to {asked.max()}")


def _worked_out(
    parts: Sequence[Part], lexical: Lexical, labels: frozenset[frozenset[str]], key: Key
) -> tuple[list[Bitmap | None], Query | None]:
    scope = Scope(key[0], dict(key[1]))
    return [part.allowed(scope) for part in parts], lexical.within(scope, labels)


def _current(path: Path) -> str:
    try:
        return layout.current(path)
    except (OSError, ValueError) as error:
        if not layout.present(path):
            raise NoCollection(path.name, "does not exist") from error
        raise CorruptCollection(path.name, f"cannot be read: {layout.CURRENT} is missing or was altered") from error


def _opened(folder: Path, described: Manifest) -> tuple[list[Part], Lexical, Entries]:
    removed = np.load(folder / REMOVED)
    parts = [Part.open(folder, part, removed) for part in described.parts]
    lexical = Lexical.open(folder / LEXICAL, described.language)
    counts = (described.rows - len(removed), len(lexical))
    if counts != (described.passages,) * 2:
        raise ValueError(f"{counts} rows and texts are not the {described.passages} passages of {layout.MANIFEST}")
    return parts, lexical, Entries(connect(folder / DOCUMENTS))


def _best(rankings: Sequence[Ranked], k: int) -> Ranked:
    """One ranking of several, equals by row."""
    if not rankings:
        return NOTHING
    rows = np.concatenate([ranked.rows for ranked in rankings])
    scores = np.concatenate([ranked.scores for ranked in rankings])
    order = np.lexsort((rows, -scores))[:k]
    return Ranked(rows[order], scores[order])
