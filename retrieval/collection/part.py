"""A part of a collection, read from its files: rows that were written at one time. Knows positions within itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from retrieval.collection import manifest
from retrieval.collection.passages import PASSAGES, Passages
from retrieval.passage import Passage
from retrieval.protocols import NOTHING, Ranked, Rows
from retrieval.query import Scope, Vectors
from retrieval.vectors import VectorIndex, load

KINDS: Final = "kinds.npy"
VECTORS: Final = "vectors.faiss"

Bitmap = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows `first` to `first + len(kinds)`. `live` is which positions were not removed; None for all of them."""

    first: int
    passages: Passages
    index: VectorIndex
    kinds: NDArray[np.int32]
    live: Bitmap | None

    @classmethod
    def open(cls, folder: Path, described: manifest.Part, removed: Rows) -> Self:
        """Read a part's files. `removed` are rows of the collection. Raises OSError; ValueError when files contradict
        each other or the manifest."""
        kinds = np.load(folder / f"{described.name}.{KINDS}", mmap_mode="r")
        passages = Passages.open(folder / f"{described.name}.{PASSAGES}")
        index = load(folder / f"{described.name}.{VECTORS}")
        counts = (len(passages), len(index), len(kinds))
        if counts != (described.rows,) * 3:
            raise ValueError(
                f"part {described.name} has {counts} passages, vectors and kinds for {described.rows} rows"
            )
        return cls(described.first, passages, index, kinds, _live(described, removed))

    def allowed(self, scope: Scope) -> Bitmap | None:
        """The positions that a scope may see, removed ones left out; None for all of them."""
        kinds = self.passages.allowed(scope)
        if kinds is None:
            return self.live
        seen: Bitmap = kinds[self.kinds]
        return seen if self.live is None else seen & self.live

    def held(self, positions: Rows) -> Rows:
        """The same positions. Raises LookupError when the passage of one was removed."""
        if self.live is not None and not self.live[positions].all():
            raise LookupError(f"of rows {positions + self.first} some were removed")
        return positions

    def section(self, position: int) -> list[Passage]:
        """The passages near a position in its section that were not removed, in reading order, of its own access
        labels: of one document they are the same, and who may see the one must not get another by it."""
        some = [(place, passage) for place, passage in self.passages.section(position) if self._alive(place)]
        access = dict(some)[position].access
        return [passage for _, passage in some if set(passage.access) == set(access)]

    def all_live(self) -> Bitmap:
        """Of each position whether it was not removed, to be changed by who asked."""
        return np.ones(len(self.kinds), np.bool_) if self.live is None else self.live.copy()

    def reconstruct(self, positions: Rows) -> Vectors:
        """The vectors at positions, to 16-bit precision."""
        return self.index.reconstruct(positions)

    def positions(self) -> Rows:
        """Those that were not removed."""
        return np.arange(len(self.kinds)) if self.live is None else np.flatnonzero(self.live)

    def dense(self, vector: Vectors, k: int, allowed: Bitmap | None) -> Ranked:
        """Rows of the collection, by cosine."""
        if allowed is not None and not allowed.any():
            return NOTHING
        positions, scores = self.index.search(vector, k, allowed)
        return Ranked(positions + self.first, scores)

    def _alive(self, position: int) -> bool:
        return self.live is None or bool(self.live[position])


def _live(described: manifest.Part, removed: Rows) -> Bitmap | None:
    first, after = np.searchsorted(removed, (described.first, described.first + described.rows))
    if first == after:
        return None
    live = np.ones(described.rows, np.bool_)
    live[removed[first:after] - described.first] = False
    return live
