"""What a share may really be when k of n were counted: exact binomial limits (Clopper, Pearson, Biometrika 26, 1934).

Exact limits rather than an approximation, since what matters here is 0 to 5 wrong hits of some hundred.
"""

from math import lgamma, log

import numpy as np

_STEPS = 40  # halvings: the limit is known to a millionth of a millionth


def interval(k: int, n: int, confidence: float = 0.95, unknown: int = 0) -> tuple[float, float]:
    """(lower, upper) limit of the share behind k of n, two-sided; (0, 1) of nothing. `unknown` more may count or not:
    the lower limit is as if none of them did, the upper one as if all."""
    tail, every = (1 - confidence) / 2, n + unknown
    return lower(k, every, 1 - tail), upper(k + unknown, every, 1 - tail)


def upper(k: int, n: int, confidence: float = 0.95) -> float:
    """The share that is exceeded with probability 1 - `confidence` only: 1 when nothing was counted."""
    return 1.0 if k >= n else _root(k, n, 1 - confidence)


def lower(k: int, n: int, confidence: float = 0.95) -> float:
    """The share that is undercut with probability 1 - `confidence` only."""
    return 0.0 if k == 0 else _root(k - 1, n, confidence)


def _root(k: int, n: int, tail: float) -> float:
    """The share p at which at most k of n are counted with probability `tail`, which falls as p rises."""
    counts = np.arange(k + 1)
    ways = np.array([lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) for i in range(k + 1)])
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        p = (low + high) / 2
        at_most = float(np.exp(ways + counts * log(p) + (n - counts) * log(1 - p)).sum())
        low, high = (p, high) if at_most > tail else (low, p)
    return (low + high) / 2
