"""Measures of one ranking, and how sure their mean is. Pure functions; gains are linear, as in trec_eval.

trec_eval 9: `ndcg_cut`, `recall`, `recip_rank` (https://github.com/usnistgov/trec_eval).
"""

from collections.abc import Mapping, Sequence
from math import log2
from typing import Final

import numpy as np

RESAMPLES: Final = 2_000
SEED: Final = 0


def ndcg(ranked: Sequence[str], grades: Mapping[str, int], k: int = 10) -> float:
    """Discounted gain of the first `k`, as a share of the best that `grades` (all above 0, at least one) allow."""
    gained = _discounted([grades.get(document, 0) for document in ranked[:k]])
    return gained / _discounted(sorted(grades.values(), reverse=True)[:k])


def recall(ranked: Sequence[str], grades: Mapping[str, int], k: int = 10) -> float:
    """The share of the relevant documents that is among the first `k`."""
    return sum(document in grades for document in ranked[:k]) / len(grades)


def reciprocal_rank(ranked: Sequence[str], grades: Mapping[str, int]) -> float:
    """1 for a relevant document in the first place, 1/2 in the second; 0 where none was ranked."""
    return next((1 / place for place, document in enumerate(ranked, 1) if document in grades), 0.0)


def interval(values: Sequence[float], resamples: int = RESAMPLES, seed: int = SEED) -> tuple[float, float]:
    """95% limits of the mean of at least one value, by bootstrap over the questions (Sakai, SIGIR 2006)."""
    numbers, random = np.asarray(values), np.random.default_rng(seed)
    means = [numbers[random.integers(0, len(numbers), len(numbers))].mean() for _ in range(resamples)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / log2(place + 1) for place, gain in enumerate(gains, 1))
