"""An index that was built, read from its files: searched by any thread, never changed."""

from pathlib import Path

import numpy as np

from retrieval.query import Vectors
from retrieval.vectors.cells import Cells
from retrieval.vectors.flat import Flat
from retrieval.vectors.kinds import Kind
from retrieval.vectors.recall import questions, recall, truth
from retrieval.vectors.values import Allowed, Nearest, Positions, checked


class VectorIndex:
    """Safe from several threads; each search takes the thread that asks, and no other."""

    def __init__(self, made: Flat | Cells) -> None:
        self._made = made

    def __len__(self) -> int:
        return self._made.count

    @property
    def dimensions(self) -> int:
        return self._made.dimensions

    @property
    def kind(self) -> Kind:
        return Kind.FLAT if isinstance(self._made, Flat) else Kind.IVF

    @property
    def parameters(self) -> dict[str, int]:
        """As they were built, for who wants to see them."""
        return self._made.parameters

    def search(self, vector: Vectors, k: int, allowed: Allowed | None = None) -> Nearest:
        """Positions, int64, of the `k` nearest to a unit vector [dimensions], best first, and their cosines, float32.

        `allowed` [len(self)] says which rows may be found; fewer than `k` are, where fewer may. Raises ValueError.
        """
        import faiss

        question = checked(self._fitting(vector, allowed))[0]
        visible = len(self) if allowed is None else int(np.count_nonzero(allowed))
        if min(k, visible) < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        faiss.omp_set_num_threads(1)  # of this thread: others keep theirs
        return self._made.nearest(question, min(k, visible), allowed)

    def reconstruct(self, positions: Positions) -> Vectors:
        """float32 [len(positions), dimensions], to the precision of 16 bits. Raises IndexError."""
        wanted = np.asarray(positions, np.int64)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"positions go from 0 to {len(self) - 1}, not from {wanted.min()} to {wanted.max()}")
        return self._made.vectors(wanted)

    def recall(self, sample: int, seed: int) -> float:
        """The share of the 10 nearest, as comparing with every vector finds them, that a search finds: of `sample`
        questions near stored vectors. Reads all vectors: some seconds a million."""
        asked = questions(self._made, sample, seed)
        return recall(self._made, asked, truth(self._made, asked))

    def _fitting(self, vector: Vectors, allowed: Allowed | None) -> Vectors:
        if vector.shape != (self.dimensions,):
            raise ValueError(f"a question's vector has the shape ({self.dimensions},), not {vector.shape}")
        if allowed is not None and (allowed.shape != (len(self),) or allowed.dtype != np.bool_):
            raise ValueError(f"allowed are {len(self)} bools, not {allowed.shape} of {allowed.dtype}")
        return vector[None]


def load(path: Path) -> VectorIndex:
    """Map what `build` wrote. Raises OSError. FAISS crashes on some damaged files: compare their digests before."""
    import faiss

    try:
        # Not IO_FLAG_MMAP: with it, FAISS 1.15 finds nothing in cells of fast-scan codes, and says nothing.
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise OSError(f"{path.name} cannot be read: {error}") from error
    if isinstance(index, faiss.IndexScalarQuantizer):
        return VectorIndex(Flat(index))
    return VectorIndex(Cells(index, np.load(rows_of(path), mmap_mode="r")))


def rows_of(path: Path) -> Path:
    """Where the vectors lie that the index at `path` has only codes of."""
    return path.with_name(f"{path.name}.rows.npy")
