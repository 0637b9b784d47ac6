"""Lengths of answers as histograms (`gateway.state.lengths`): their quantiles, and whether two of them differ. Pure."""

from collections.abc import Mapping
from itertools import accumulate
from math import erfc, sqrt

from gateway.state.lengths import middle

Histogram = Mapping[int, int]  # answers by bucket
FEWEST = 20  # of each side: the normal approximation of U is good from about there on


def quantile(lengths: Histogram, share: float) -> float | None:
    """The length, in tokens and to a sixteenth, that this share of the answers does not exceed; None of nothing."""
    buckets = sorted(lengths)
    wanted = share * sum(lengths.values())
    upto = accumulate(lengths[bucket] for bucket in buckets)
    return next((middle(bucket) for bucket, answers in zip(buckets, upto, strict=True) if answers >= wanted), None)


def same(before: Histogram, now: Histogram) -> float | None:
    """The probability (p, two-sided) of a shift as large as this one if both had the same lengths; None of too few.

    Mann and Whitney's U by its normal approximation, corrected for ties (Annals of Mathematical Statistics 18, 1947):
    it asks nothing of the lengths' distribution. Lengths of one bucket are ties.
    """
    n, m = sum(before.values()), sum(now.values())
    if min(n, m) < FEWEST:
        return None
    wins, below, ties, total = 0.0, 0, 0, n + m
    for bucket in sorted({*before, *now}):
        one, two = before.get(bucket, 0), now.get(bucket, 0)
        wins += two * (below + one / 2)
        below += one
        ties += (one + two) ** 3 - (one + two)
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    return erfc(abs(wins - n * m / 2) / sqrt(2 * variance)) if variance > 0 else 1.0
