"""Vectors for the indexes: synthetic, in clusters of mixed width, as texts about many things are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retrieval.query import Vectors
from retrieval.vectors import Built, Kind, VectorIndex, build, load

DIMENSIONS = 64
MANY = 4000


def unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def clustered(count: int, seed: int) -> Vectors:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((50, DIMENSIONS), np.float32)[random.integers(0, 50, count)]
    width = random.uniform(0.3, 1.5, (count, 1)).astype(np.float32)
    return unit(centres + width * random.standard_normal((count, DIMENSIONS), np.float32))


@pytest.fixture(scope="session")
def vectors() -> Vectors:
    """float32 [MANY, DIMENSIONS]."""
    return clustered(MANY, 0)


@pytest.fixture(scope="session")
def made(vectors: Vectors, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], tuple[Built, VectorIndex]]:
    """An index of `vectors`, of each kind one, and what was said of it."""
    folder: Path = tmp_path_factory.mktemp("vectors")
    built = {kind: build(vectors, folder / kind.value, kind) for kind in Kind}
    return lambda kind: (built[kind], load(built[kind].files[0]))
