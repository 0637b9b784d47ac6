"""How many of the 10 nearest a search finds, of those that comparing with every vector finds.

The questions are made: of stored vectors, turned away by NEAR. Real questions to their nearest text have a cosine of
0.7 in the median (Quora's), and at every number of cells looked into their recall was within .005 of that of these.
"""

from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from retrieval.query import Vectors
from retrieval.vectors.values import STEP, Allowed, Nearest, Positions

NEAR: Final = 0.7
TOP: Final = 10


class Searched(Protocol):
    """What has vectors by position, and finds the nearest."""

    count: int

    def nearest(self, vector: Vectors, k: int, allowed: Allowed | None) -> Nearest: ...
    def vectors(self, positions: Positions) -> Vectors: ...


def questions(index: Searched, sample: int, seed: int) -> Vectors:
    """Unit vectors [at most `sample`, dimensions], always the same for the same index and seed."""
    random = np.random.default_rng(seed)
    positions = np.sort(random.choice(index.count, min(sample, index.count), replace=False))
    rows = _unit(index.vectors(positions))
    away = random.standard_normal(rows.shape, np.float32)
    away = _unit(away - (away * rows).sum(1, keepdims=True) * rows)
    return np.asarray(NEAR * rows + np.sqrt(1 - NEAR**2) * away, np.float32)


def truth(index: Searched, asked: Vectors) -> Positions:
    """Positions of the TOP nearest, in no order: int64 [len(asked), min(TOP, count)]."""
    top = min(TOP, index.count)
    best, cosines = np.empty((len(asked), 0), np.int64), np.empty((len(asked), 0), np.float32)
    for start in range(0, index.count, STEP):
        positions = np.arange(start, min(start + STEP, index.count))
        best = np.concatenate([best, np.broadcast_to(positions, (len(asked), len(positions)))], 1)
        cosines = np.concatenate([cosines, asked @ index.vectors(positions).T], 1)
        kept = np.argpartition(-cosines, top - 1, axis=1)[:, :top]
        best, cosines = np.take_along_axis(best, kept, 1), np.take_along_axis(cosines, kept, 1)
    return best


def recall(index: Searched, asked: Vectors, nearest: Positions) -> float:
    """The share of `nearest` that `index` finds for `asked`; 1 where there is nothing to find."""
    found = [index.nearest(vector, row.size, None)[0] for vector, row in zip(asked, nearest, strict=True)]
    hits = sum(np.isin(row, positions).sum() for row, positions in zip(nearest, found, strict=True))
    return float(hits / nearest.size) if nearest.size else 1.0


def least(measured: Callable[[int], float], wanted: float, most: int) -> int:
    """The smallest number of 16, 19, 22, 26, 32... at which `measured` is as wanted; `most` when none is.

    No fewer: where stored vectors are much alike, 8 were enough for made questions, and for real ones not (.945).
    """
    number = 16.0
    while number < most and measured(int(number)) < wanted:
        number *= 2**0.25
    return min(int(number), most)


def _unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
