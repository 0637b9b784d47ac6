"""Vectors grouped into cells around centres. A search compares codes of those in the cells nearest to the question,
then the best of them exactly.

The codes are products of 4 bits for each two numbers (Jegou 2011), compared 32 at a time in registers (Andre 2015,
FAISS's "fast scan"); they lie in memory, some 110 bytes a vector of 384 numbers. The vectors themselves lie in a second
file, in 16-bit floats and in the order in which they came, which is mapped: a search reads some hundred of them.

What a narrow selection leaves of the nearest cells may be too little: more cells are looked into the fewer rows are
allowed, and more again until there are candidates enough. A few rows are compared one by one.
"""

from collections.abc import Iterator
from math import isqrt
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from retrieval.query import Vectors
from retrieval.vectors.values import Allowed, Nearest, Positions, selector, sixteen

LEAST: Final = 1024  # vectors: codes are learned from them
POINTS: Final = 25  # vectors for each centre to be found by: with more, recall did not change
ROUNDS: Final = 5  # of k-means
CANDIDATES: Final = 5  # compared exactly, for each that is asked for; recall of 10: 50 lose .003 of what 200 find
CANDIDATES_LEAST: Final = 100
FEW: Final = 10_000  # allowed rows that are compared one by one: 6 ms, most of it to gather them
# How many more cells are looked into for a share of the rows. Where what is allowed is a topic other than the
# question's, that gives recall .97 for a fifth of a million, .94 for a twentieth (with the square root: .96, .90).
NARROWER: Final = 0.75
MOST: Final = 0.4  # of the cells: 8 ms at a million; beyond only until there are candidates enough


class Cells:
    """Of a FAISS index of codes, and the rows, float16 [count, dimensions]."""

    def __init__(self, index: Any, rows: NDArray[np.float16]) -> None:
        self._index, self._rows = index, rows
        self.count, self.dimensions = rows.shape

    @property
    def parameters(self) -> dict[str, int]:
        """Cells in all, and those that a search of all rows looks into."""
        return {"cells": self._index.nlist, "probes": self._index.nprobe}

    def probe(self, probes: int) -> None:
        """Look into so many cells from now on; for who builds it."""
        self._index.nprobe = probes

    def save(self, path: Path) -> None:
        """All but the rows, which are on disk."""
        import faiss

        faiss.write_index(self._index, str(path))

    def nearest(self, vector: Vectors, k: int, allowed: Allowed | None) -> Nearest:
        """`k` of [1, count]."""
        visible = self.count if allowed is None else int(np.count_nonzero(allowed))
        if allowed is not None and visible <= FEW:
            return self._exactly(vector, np.flatnonzero(allowed), k)
        return self._exactly(
            vector, self._candidates(vector, min(wanted(k), visible), allowed, visible / self.count), k
        )

    def vectors(self, positions: Positions) -> Vectors:
        return self._rows[positions].astype(np.float32)

    def _candidates(self, vector: Vectors, wanted: int, allowed: Allowed | None, share: float) -> Positions:
        import faiss

        chosen, cells = selector(allowed), self._index.nlist
        probes = max(self._index.nprobe, int(min(self._index.nprobe / share**NARROWER, MOST * cells)))
        while True:
            how: Any = faiss.SearchParametersIVF(nprobe=probes, sel=chosen)  # type: ignore[call-arg]
            found = self._index.search(vector[None], wanted, params=how)[1][0]
            if found[-1] >= 0 or probes == cells:
                return np.asarray(found[found >= 0], np.int64)
            probes = min(4 * probes, cells)

    def _exactly(self, vector: Vectors, positions: Positions, k: int) -> Nearest:
        some = sixteen(self.dimensions)
        some.add_sa_codes(self._rows[positions].view(np.uint8))  # 16-bit floats are their own codes
        cosines, places = some.search(vector[None], min(k, len(positions)))
        return positions[places[0]], cosines[0]


def wanted(k: int) -> int:
    """Candidates for the `k` nearest."""
    return max(CANDIDATES * k, CANDIDATES_LEAST)


def make(chunks: Iterator[Vectors], sample: Vectors, count: int, path: Path) -> Cells:
    """The rows go to `path` as they come; the rest is for `save`. `sample` [n, dimensions] of them is learned from."""
    index = _trained(sample, cells_of(count))
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (count, sample.shape[1]))
    start = 0
    for chunk in chunks:
        index.add(chunk)
        rows[start : start + len(chunk)] = chunk
        start += len(chunk)
    rows.flush()
    return Cells(index, rows)


def cells_of(count: int) -> int:
    """As FAISS's guidelines say for up to a million; beyond, finding the nearest centres keeps step with the rest."""
    return 4 * isqrt(count)


def _trained(sample: Vectors, cells: int) -> Any:
    """Always the same for the same sample: FAISS's seeds are fixed."""
    import faiss

    dimensions = sample.shape[1]
    centres = faiss.IndexFlatIP(dimensions)
    index = faiss.IndexIVFPQFastScan(centres, dimensions, cells, dimensions // 2, 4, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.min_points_per_centroid, index.cp.spherical = ROUNDS, 1, True
    index.train(sample)
    return index
