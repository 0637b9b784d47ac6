"""Vectors that are compared one by one: nothing is missed. Kept in 16-bit floats, whose cosines are right to 3 digits.

The file is mapped: pages of it come and go as the kernel likes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from retrieval.query import Vectors
from retrieval.vectors.values import Allowed, Nearest, Positions, selector, sixteen


class Flat:
    """Of a FAISS index with a scalar quantizer."""

    def __init__(self, index: Any) -> None:
        self._index = index
        self.count, self.dimensions = int(index.ntotal), int(index.d)
        self.parameters: Final = dict[str, int]()

    def nearest(self, vector: Vectors, k: int, allowed: Allowed | None) -> Nearest:
        """`k` of [1, count]."""
        import faiss

        how: Any = faiss.SearchParameters(sel=selector(allowed))  # type: ignore[call-arg]
        scores, positions = self._index.search(vector[None], k, params=how)
        found = positions[0] >= 0
        return positions[0][found], scores[0][found]

    def vectors(self, positions: Positions) -> Vectors:
        return np.asarray(self._index.reconstruct_batch(positions), np.float32)


def make(chunks: Iterator[Vectors], dimensions: int, path: Path) -> Flat:
    """Raises RuntimeError when FAISS cannot write."""
    import faiss

    index = sixteen(dimensions)
    for chunk in chunks:
        index.add(chunk)
    faiss.write_index(index, str(path))
    return Flat(index)
