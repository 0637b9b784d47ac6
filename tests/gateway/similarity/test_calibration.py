"""What observations do to the limit: up soon, down only when proven, never beyond what was looked at."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.similarity import Calibration
from gateway.similarity.calibration import KEPT, NEVER


class Seen(NamedTuple):
    probability: float
    right: bool = True


def after(*seen: Seen) -> Calibration:
    return Calibration.of("open", seen)


@pytest.mark.parametrize("rate", [0.001, 0.005, 0.01, 0.03, 0.05, 0.2])
def test_the_prior_decides_before_anything_was_seen(rate: float) -> None:
    assert Calibration.of("open").least(rate) == pytest.approx(1 - rate)


def test_what_keeps_being_right_widens_what_is_served_once_it_is_proven() -> None:
    pool = after(*[Seen(0.97)] * 457)
    assert pool.least(0.01) == pytest.approx(0.99)
    for _ in range(2):
        pool.learn(Seen(0.97))
    assert pool.least(0.01) <= 0.97


def test_but_not_below_what_was_looked_at() -> None:
    pool = after(*[Seen(0.97)] * 1000)
    assert pool.least(0.05) > 0.93


def test_one_in_twenty_wrong_narrows_it_within_a_hundred_hits() -> None:
    pool = after(*[Seen(0.992, right=n % 20 != 0) for n in range(100)])
    assert pool.least(0.01) > 0.993


def test_a_pool_where_everything_is_wrong_serves_nothing() -> None:
    pool = after(*[Seen(0.999, right=False)] * 50)
    assert pool.least(0.01) == NEVER > 1


def test_it_recovers_when_the_old_is_forgotten() -> None:
    pool = after(*[Seen(0.999, right=False)] * 50)
    for _ in range(KEPT):
        pool.learn(Seen(0.995))
    assert pool.least(0.01) < 0.996


def test_what_no_setting_would_serve_says_nothing() -> None:
    assert after(*[Seen(0.0, right=False)] * 1000).least(0.01) == Calibration.of("open").least(0.01)


def test_a_larger_rate_never_serves_less() -> None:
    pool = after(*[Seen(0.9 + n % 100 / 1000, right=n % 37 != 0) for n in range(2000)])
    limits = [pool.least(rate) for rate in (0.005, 0.01, 0.02, 0.03, 0.05, 0.1)]
    assert limits == sorted(limits, reverse=True)


@given(st.lists(st.builds(Seen, st.floats(0, 1), st.booleans()), max_size=60), st.floats(1e-3, 0.5))
def test_any_observations_give_a_limit(seen: list[Seen], rate: float) -> None:
    pool = after(*seen)
    assert 0 < pool.least(rate) <= NEVER
    assert pool.least(rate) == after(*seen).least(rate)


@pytest.mark.parametrize("share", [0.002, 0.02])
def test_the_rate_holds_whatever_the_prior_is_worth(share: float) -> None:
    """Hits below the limit are not seen, those above it are all judged; of every thousand the last ones count."""
    chance, pool, wrong, hits = np.random.default_rng(7), Calibration.of("open"), 0, 0
    for request in range(4000):
        probability = float(chance.uniform(0.98, 1))
        if probability < pool.least(0.01):
            continue
        right = bool(chance.random() >= share * (1 - probability) / 0.005)
        pool.learn(Seen(probability, right))
        if request >= 2000:
            hits, wrong = hits + 1, wrong + (not right)
    assert hits > 100
    assert wrong / hits < 0.015
