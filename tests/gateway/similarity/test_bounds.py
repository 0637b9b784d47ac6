"""Exact binomial limits against published values and against their own definition."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.similarity.bounds import interval, lower, upper


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [  # scipy.stats.binomtest(k, n).proportion_ci(method="exact")
        (0, 10, 0.0, 0.308497),
        (3, 100, 0.006230, 0.085176),
        (7, 250, 0.011330, 0.056837),
        (50, 5000, 0.007431, 0.013163),
        (10, 10, 0.691503, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_known_intervals(k: int, n: int, low: float, high: float) -> None:
    assert interval(k, n) == pytest.approx((low, high), abs=1e-6)


def test_nothing_wrong_of_300_shows_one_in_a_hundred() -> None:
    """The rule of three: 3 / n."""
    assert upper(0, 299) <= 0.01 < upper(0, 298)


@given(st.integers(1, 60), st.data())
def test_the_limit_is_where_so_few_would_be_rare(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n - 1))
    p = upper(k, n)
    assert sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1)) == pytest.approx(0.05, abs=1e-6)


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_share_itself_is_between(k: int, more: int) -> None:
    n = k + more
    assert lower(k, n) <= (k / n if n else 0) <= upper(k, n)
