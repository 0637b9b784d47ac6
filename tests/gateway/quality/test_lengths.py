"""Quantiles of histograms, and Mann and Whitney's test on them."""

import random
from collections import Counter

import pytest

from gateway.quality.lengths import FEWEST, quantile, same
from gateway.state.lengths import bucket


def of(*tokens: int) -> Counter[int]:
    return Counter(map(bucket, tokens))


def drawn(chance: random.Random, number: int, factor: float = 1.0) -> Counter[int]:
    """Lengths as answers have them, of some hundred tokens."""
    return of(*(round(factor * chance.lognormvariate(5, 0.8)) for _ in range(number)))


def test_quantiles_are_true_to_a_sixteenth() -> None:
    lengths = [round(random.Random(2).lognormvariate(5, 0.8)) for _ in range(999)]
    lengths += list(range(999))
    for share in (0.05, 0.5, 0.95, 1.0):
        exact = sorted(lengths)[max(0, round(share * len(lengths)) - 1)]
        assert quantile(of(*lengths), share) == pytest.approx(exact, rel=1 / 16)
    assert quantile(of(7, 7, 9), 0.5) == 7.0
    assert quantile({}, 0.5) is None


def test_it_is_mann_and_whitneys_test_with_ties() -> None:
    """scipy.stats.mannwhitneyu(one, two, use_continuity=False, method="asymptotic")"""
    one = of(*(number % 7 for number in range(40)))
    two = of(*(number % 9 for number in range(50)))
    assert same(one, two) == pytest.approx(0.10180561634835732, abs=1e-9)
    assert same(two, one) == same(one, two)
    assert same(one, one) == 1.0


def test_few_answers_say_nothing_and_equal_ones_are_the_same() -> None:
    assert same(of(*range(FEWEST - 1)), of(*range(100))) is None
    assert same(of(*([5] * 30)), of(*([5] * 30))) == 1.0


def test_a_drift_is_found_and_the_same_is_not() -> None:
    chance = random.Random(3)
    assert all((same(drawn(chance, 500), drawn(chance, 500, 1.3)) or 1) < 0.01 for _ in range(20))
    alarms = sum((same(drawn(chance, 100), drawn(chance, 100)) or 0) < 0.01 for _ in range(1_000))
    assert alarms < 25  # ten are expected
