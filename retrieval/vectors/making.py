"""Vectors to the files of an index, and how good it has become."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.query import Vectors
from retrieval.vectors import cells, flat
from retrieval.vectors.index import rows_of
from retrieval.vectors.kinds import Kind, plan
from retrieval.vectors.recall import least, questions, recall, truth
from retrieval.vectors.values import STEP, Positions, checked

Given = Vectors | NDArray[np.float16]

SEED: Final = 0
ASKED: Final = 300  # questions that recall is measured with: a standard error of .004 at .97, ten answers each
TUNED: Final = 0.985  # recall of these. Of questions from elsewhere it was .97 then; .95 is what is promised of any


@dataclass(frozen=True, slots=True)
class Built:
    """What was written: `files`, not synced. `recall`: the share of the 10 nearest, as comparing with every vector
    finds them, that a search finds; `parameters` are those of the kind, as whole numbers."""

    kind: Kind
    count: int
    dimensions: int
    parameters: Mapping[str, int]
    recall: float
    files: tuple[Path, ...]


def build(vectors: Given, path: Path, kind: Kind | None = None) -> Built:
    """Write an index of `vectors` [count, dimensions], each of unit length, to `path`, and to a second file beside it
    where the kind has one; by default of the kind that `plan` names. The same vectors give the same files.

    Works in one thread, and takes memory for a step of vectors, for the sample that is learned from and for what the
    kind keeps in memory: at a million of 384 numbers 0.4 GB; `vectors` may be a file that is mapped.
    Raises ValueError when a vector is not finite or not of unit length, or when the kind does not suit them; OSError.
    """
    import faiss

    count, dimensions = vectors.shape
    kind = kind or plan(count, dimensions)
    faiss.omp_set_num_threads(1)  # of this thread. With two on two busy cores, training took 12 times the CPU time
    try:
        return _flat(vectors, path) if kind is Kind.FLAT else _cells(vectors, path)
    except RuntimeError as error:  # FAISS's, for a disk that is full
        raise OSError(f"{path.name} cannot be written: {error}") from error


def _flat(vectors: Given, path: Path) -> Built:
    count, dimensions = vectors.shape
    made = flat.make(_chunks(vectors), dimensions, path)
    asked = questions(made, ASKED, SEED)
    return Built(Kind.FLAT, count, dimensions, {}, recall(made, asked, truth(made, asked)), (path,))


def _cells(vectors: Given, path: Path) -> Built:
    count, dimensions = vectors.shape
    if count < cells.LEAST or dimensions % 2:
        raise ValueError(
            f"cells take {cells.LEAST} vectors of an even number of dimensions, not {count} of {dimensions}"
        )
    made = cells.make(_chunks(vectors), _sample(vectors), count, rows_of(path))
    asked = questions(made, ASKED, SEED)
    nearest = truth(made, asked)
    reached = _tuned(made, asked, nearest)
    made.save(path)
    return Built(Kind.IVF, count, dimensions, made.parameters, reached, (path, rows_of(path)))


def _tuned(made: cells.Cells, asked: Vectors, nearest: Positions) -> float:
    """Look into as few cells as give the recall that is wanted, and return it."""

    def measured(probes: int) -> float:
        made.probe(probes)
        return recall(made, asked, nearest)

    return measured(least(measured, TUNED, made.parameters["cells"]))


def _sample(vectors: Given) -> Vectors:
    count = len(vectors)
    size = min(cells.cells_of(count) * cells.POINTS, count)
    chosen = np.sort(np.random.default_rng(SEED).choice(count, size, replace=False))
    return checked(vectors[chosen])


def _chunks(vectors: Given) -> Iterator[Vectors]:
    for start in range(0, len(vectors), STEP):
        yield checked(vectors[start : start + STEP], start)
