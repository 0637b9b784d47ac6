"""Wilson's limits and Newcombe's comparison, against published and independent figures."""

import random

import pytest

from gateway.quality.rates import change, wilson


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [  # scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
        (0, 10, 0.0, 0.2775328),
        (1, 10, 0.0178762, 0.4041500),
        (31, 1000, 0.0219240, 0.0436655),
        (10, 10, 0.7224672, 1.0),
        (81, 263, 0.2552885, 0.3662096),
    ],
)
def test_wilsons_limits(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=1e-6)


def test_of_nothing_anything_may_be_true() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert change((0, 0), (5, 5)) == change((5, 5), (0, 0)) == 0


def test_a_difference_is_newcombes() -> None:
    """His example (a), 56/70 and 48/80: 0.0524 to 0.3339 at 95%; at 99% the difference is not sure."""
    assert change((48, 80), (56, 70), 0.05) == 1
    assert change((56, 70), (48, 80), 0.05) == -1
    assert change((48, 80), (56, 70), 0.001) == 0
    assert change((4, 1000), (31, 1000)) == 1
    assert change((31, 1000), (4, 1000)) == -1
    assert change((3, 1000), (5, 1000)) == change((0, 50), (0, 50)) == 0


def test_two_of_the_same_seldom_differ() -> None:
    """The level is a hundredth, for both sides together; 2,000 pairs of 3% in 500."""
    chance = random.Random(1)

    def counted() -> tuple[int, int]:
        return sum(chance.random() < 0.03 for _ in range(500)), 500

    assert sum(change(counted(), counted()) != 0 for _ in range(2_000)) < 40
