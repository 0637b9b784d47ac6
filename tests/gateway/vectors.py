"""Vectors for tests: of unit length, random, and near to others."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


def unit(rows: NDArray[np.floating]) -> Vectors:
    lengths: NDArray[np.floating] = np.linalg.norm(rows, axis=-1, keepdims=True)
    return (rows / lengths).astype(np.float32)


def vectors(count: int, dimensions: int, seed: int = 0) -> Vectors:
    """[count, dimensions], in all directions."""
    return unit(np.random.default_rng(seed).standard_normal((count, dimensions)))


def clustered(count: int, dimensions: int, of_each: int = 20, seed: int = 0) -> Vectors:
    """[count, dimensions]: clusters of `of_each`, whose cosines to each other are 0.7 to 0.99; in random order."""
    centres = np.repeat(vectors(count // of_each + 1, dimensions, seed), of_each, axis=0)[:count]
    order = np.random.default_rng(seed).permutation(count)
    return noisy(centres, 0.1, 0.65, seed)[order]


def noisy(rows: Vectors, least: float, most: float, seed: int = 1) -> Vectors:
    """Each with a random direction added, of a length from `least` to `most`."""
    lengths = np.random.default_rng(seed).uniform(least, most, (len(rows), 1))
    return unit(rows + lengths * vectors(len(rows), rows.shape[1], seed + 1))
