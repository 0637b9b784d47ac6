"""What a share may really be, and whether two shares differ. Pure.

Wilson's score interval (Wilson, J. Am. Stat. Assoc. 22, 1927), which stays sound where nothing or all was counted, and
the interval of a difference that Newcombe makes of two of them (Statistics in Medicine 17, 1998, method 10).
"""

from math import sqrt
from statistics import NormalDist

CONFIDENCE = 0.95  # of the intervals that are shown
# Of a comparison. A table compares some dozens of pairs: at 5% it would cry wolf each time it is printed.
LEVEL = 0.01


def wilson(k: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """(lower, upper) limit of the share behind k of n, two-sided; (0, 1) of nothing."""
    if not n:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = k / n, z * z / n
    middle = share + weight / 2
    half = z * sqrt((share * (1 - share) + weight / 4) / n)
    low, high = ((middle + sign * half) / (1 + weight) for sign in (-1, 1))
    return (low if k else 0.0), (high if k < n else 1.0)  # exactly there, but for the last digit


def change(before: tuple[int, int], now: tuple[int, int], level: float = LEVEL) -> int:
    """1 when the share `now` (k of n) is significantly larger than the one `before`, -1 when smaller, else 0."""
    if not (before[1] and now[1]):
        return 0
    one, two = before[0] / before[1], now[0] / now[1]
    (low_one, high_one), (low_two, high_two) = (wilson(*counted, 1 - level) for counted in (before, now))
    if two - one > sqrt((two - low_two) ** 2 + (high_one - one) ** 2):
        return 1
    return -1 if one - two > sqrt((high_two - two) ** 2 + (one - low_one) ** 2) else 0
