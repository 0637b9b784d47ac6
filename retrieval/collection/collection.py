"""A version of a collection, loaded: the `Index` over files of this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from retrieval.collection.entries import Entry
from retrieval.collection.errors import CorruptCollection
from retrieval.collection.manifest import Manifest
from retrieval.passage import Passage
from retrieval.protocols import Ranked
from retrieval.query import Scope, Vectors


class Collection:
    """An `Index`. Safe to search from several threads. It keeps its files open: a later version does not touch it."""

    manifest: Manifest

    @classmethod
    def load(cls, path: Path, embedder_identity: str) -> Self:
        """The current version in a folder, every byte of it checked, and asked what it must know.

        Raises NoCollection, CorruptCollection (which file, and what is wrong with it) or WrongEmbedder.
        """
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The folder's."""
        raise NotImplementedError

    @property
    def version(self) -> str:
        """A digest over everything in it: part of the key of each answer built on it."""
        raise NotImplementedError

    @property
    def documents(self) -> int:
        """How many documents it holds."""
        raise NotImplementedError

    def __len__(self) -> int:
        """Passages, removed ones left out."""
        raise NotImplementedError

    def dense(self, vector: Vectors, k: int, scope: Scope) -> Ranked:
        """By cosine (-1 to 1) to a unit vector [dimensions]. Raises ValueError for any other."""
        raise NotImplementedError

    def lexical(self, text: str, k: int, scope: Scope) -> Ranked:
        """By BM25 (0 up; a passage without any of the words is left out)."""
        raise NotImplementedError

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """In the order of `rows`. Raises LookupError for a row that is none."""
        raise NotImplementedError

    def vectors(self, rows: Sequence[int]) -> Vectors:
        """float32 [len(rows), dimensions], to 16-bit precision."""
        raise NotImplementedError

    def around(self, row: int) -> list[Passage]:
        """All passages of the row's section, in reading order, itself among them."""
        raise NotImplementedError

    def entries(self) -> Iterator[Entry]:
        """Every document that the writer saw, by id; those left out among them."""
        raise NotImplementedError

    def rows(self) -> Iterator[int]:
        """Every row that is a passage, ascending."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class LastGood:
    """A collection that can serve, and `passed_over`: what is wrong with the newer versions, newest first."""

    collection: Collection
    passed_over: tuple[CorruptCollection, ...] = ()


def load_last_good(path: Path, embedder_identity: str) -> LastGood:
    """The current version, or else the newest before it that is whole. Raises as `Collection.load` when there is none.

    It changes nothing on disk: the damaged version stays the current one until a build or a `rollback`.
    """
    raise NotImplementedError
