"""Synthetic vectors for `benchmarks.retrieval_vectors`: mixtures of pairs of real ones, made unit length."""

from contextlib import closing
from pathlib import Path
from typing import cast

import numpy as np

from retrieval.embed import Embedder
from retrieval.query import Vectors

Kept = np.ndarray[tuple[int, int], np.dtype[np.float16]]

DOCUMENTS = Path(__file__).parents[1] / "documents"
STEP = 8192  # rows at a time


def unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def real(file: Path | None) -> Vectors:
    """In an order that is always the same."""
    rows = np.load(file) if file else _of_samples()
    return unit(rows[np.random.default_rng(0).permutation(len(rows))])


def _of_samples() -> Vectors:
    lines = {line.strip() for path in DOCUMENTS.rglob("*.*") for line in path.read_text("utf-8", "ignore").splitlines()}
    with closing(Embedder()) as embedder:
        return embedder.encode(sorted(line for line in lines if len(line) > 20))


def mixed(of: Vectors, count: int, seed: int) -> Vectors:
    random = np.random.default_rng(seed)
    first, second = of[random.integers(0, len(of), (2, count))]
    share = random.uniform(0.5, 0.95, (count, 1)).astype(np.float32)
    return unit(share * first + (1 - share) * second)


def stored(folder: Path, count: int, of: Vectors) -> Kept:
    """float16 [count, dimensions] in a file, made there unless it is there."""
    path = folder / "vectors.npy"
    if not path.exists():
        rows = np.lib.format.open_memmap(path, "w+", np.float16, (count, of.shape[1]))
        for start in range(0, count, STEP):
            rows[start : start + STEP] = mixed(of, min(STEP, count - start), start)
        rows.flush()
    return cast(Kept, np.load(path, mmap_mode="r"))
