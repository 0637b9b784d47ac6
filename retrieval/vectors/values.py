"""What goes into an index and comes out of it, and how FAISS is told which rows it may see."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retrieval.query import Vectors

if TYPE_CHECKING:  # 15 MB, which a gateway without collections need not have
    import faiss

Positions = NDArray[np.int64]
Allowed = NDArray[np.bool_]  # [count]: the rows that a search may see
Nearest = tuple[Positions, Vectors]  # best first, and their cosines

STEP = 8192  # rows taken at once: of 384 numbers 12 MB
UNIT = 1e-2  # how far from 1 a length may be: that of 16-bit floats is right to 1e-3


def selector(allowed: Allowed | None) -> "faiss.IDSelector | None":
    """For the `sel` of FAISS's search parameters."""
    import faiss

    if allowed is None:
        return None
    bits: Any = np.packbits(allowed, bitorder="little")
    return faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg] # its Python form


def sixteen(dimensions: int) -> "faiss.IndexScalarQuantizer":
    """An empty index of 16-bit floats that compares with every one."""
    import faiss

    index = faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True  # there is nothing to learn
    return index


def checked(vectors: Any, first: int = 0) -> Vectors:
    """`vectors` [n, dimensions] as float32. Raises ValueError for one that is not finite or not of unit length; `first`
    is the number of the first in what it is about."""
    rows = np.ascontiguousarray(vectors, np.float32)
    lengths = np.linalg.norm(rows, axis=1)
    wrong = np.flatnonzero(~(abs(lengths - 1) < UNIT))  # NaN is not less either
    if len(wrong):
        raise ValueError(f"vector {first + wrong[0]} has length {lengths[wrong[0]]:g}: it must be 1; normalise it")
    return rows
