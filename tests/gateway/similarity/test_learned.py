"""A pool's own model: taken where it is better than the prior, served where it is proven, silent elsewhere."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.similarity import Calibration, Correction, Judge
from gateway.similarity.calibration import NEVER
from gateway.similarity.features import NAMES, VERSION
from gateway.similarity.learned import FIRST

RATE = 0.05
SUPPORT = NAMES.index("support")


class Seen(NamedTuple):
    probability: float
    right: bool
    features: tuple[float, ...]


def looks(support: float, similarity: float = 0.85) -> tuple[float, ...]:
    """A comparison of which two features vary."""
    return (VERSION, similarity, 0.5, support, *[0.5] * (len(NAMES) - 3))


def observed(seed: int = 0, tells: bool = True, wrong: float = 0.5) -> Iterator[Seen]:
    """The prior says 0.8 of all. Where `tells`, those with support are right, the others wrong; else it is chance."""
    chance = np.random.default_rng(seed)
    while True:
        support = float(chance.random() >= wrong) * 4
        right = support > 0 if tells else bool(chance.random() >= wrong)
        yield Seen(0.8, right, looks(support))


def taught(count: int, seed: int = 0, tells: bool = True, wrong: float = 0.5) -> Correction | None:
    return Correction.of("open", list(islice(observed(seed, tells, wrong), count)))


def test_what_tells_right_from_wrong_is_learned_and_served() -> None:
    correction = taught(600)
    assert correction is not None
    good, bad = correction.probability(0.8, looks(4)), correction.probability(0.8, looks(0))
    assert good >= correction.least(RATE) > bad
    assert good > 0.95 > 0.6 > bad


def test_too_few_or_of_one_kind_teach_nothing() -> None:
    assert taught(FIRST - 1) is None
    assert taught(FIRST) is not None
    assert taught(5_000, wrong=0.0) is None
    assert taught(5_000, wrong=1.0) is None


def test_a_model_that_is_no_better_than_the_prior_is_not_taken() -> None:
    """What the prior says of pairs at 0.8 is that 4 in 10 of them are wrong: there is nothing to learn."""
    assert [taught(1000, seed, tells=False, wrong=0.4) for seed in range(5)].count(None) >= 4


def test_little_evidence_is_no_proof() -> None:
    correction = taught(FIRST)
    assert correction is not None
    assert correction.least(0.01) == NEVER  # a hundred right ones show that less than 3% are wrong, no less


def test_what_nobody_could_tell_teaches_nothing_and_is_wrong_in_the_proof() -> None:
    seen, unsure = list(islice(observed(), 1000)), [Seen(0.8, True, looks(4))] * 60
    known, careful = Correction.of("open", seen), Correction.of("open", seen, unsure)
    assert known is not None
    assert careful is not None
    assert careful.probability(0.8, looks(4)) == known.probability(0.8, looks(4)) >= known.least(RATE)
    assert careful.least(RATE) == NEVER
    assert careful.least(3 * RATE) < 1


def test_features_of_another_version_are_left_out() -> None:
    old = [seen._replace(features=(VERSION + 1, *seen.features[1:])) for seen in islice(observed(), 1000)]
    assert Correction.of("open", old) is None
    assert Correction.of("open", [*old, *islice(observed(), FIRST)]) is not None


@pytest.mark.parametrize("seed", range(3))
def test_the_rate_holds_where_the_model_decides_what_is_seen(seed: int) -> None:
    """Half of the pairs tell little. What is served is compared as seldom as all the rest, as in the gateway."""
    chance, seen, correction, served = np.random.default_rng(seed), list[Seen](), None, list[bool]()
    for _ in range(8000):
        similarity, support = float(chance.uniform(0.7, 1)), float(chance.integers(5))
        right = bool(chance.random() < 1 / (1 + np.exp(-(30 * (similarity - 0.85) + 1.5 * support - 3))))
        hit = correction is not None and correction.probability(0.8, looks(support, similarity)) >= correction.least(
            RATE
        )
        if hit:
            served.append(right)
        if chance.random() < 0.25:
            seen.append(Seen(0.8, right, looks(support, similarity)))
            if len(seen) % 200 == 0:
                correction = Correction.of("open", seen)
    assert len(served) > 500
    assert served.count(False) / len(served) <= RATE


def test_the_judge_serves_more_and_says_so() -> None:
    pair = "How do I open an account?", "How do I open a bank account?"
    judge, evidence = Judge(RATE), Calibration.of("open")
    before = judge.decide(*pair, 0.97, evidence)
    right = [Seen(before.probability, True, before.features)] * 400
    wrong = list(islice(observed(wrong=1.0), 200))
    correction = Correction.of("open", [one for pair_ in zip(right, wrong * 2, strict=True) for one in pair_])
    assert correction is not None
    after = judge.decide(*pair, 0.97, evidence, correction=correction)
    assert (before.hit, before.learned, after.hit, after.learned) == (False, False, True, True)
    assert after.probability == before.probability
    assert "as learned here" in after.reasons[-1]


def test_nothing_is_known_below_what_was_looked_at() -> None:
    far = [seen._replace(probability=0.4) for seen in islice(observed(), 1000)]
    assert Correction.of("open", far) is None
    correction, evidence = taught(2000), Calibration.of("open")
    found = Judge(0.4).decide(
        "Where do I buy bread?", "Where can I get apples here?", 0.71, evidence, correction=correction
    )
    assert (found.probability < 0.5, found.hit, len(found.reasons)) == (True, False, 3)


def test_what_is_forbidden_stays_forbidden_and_what_the_prior_serves_is_served() -> None:
    correction, evidence = taught(2000), Calibration.of("open")
    assert correction is not None
    judge = Judge(0.4)
    assert not judge.decide("Is it 500 years old?", "Is it 50 years old?", 0.99, evidence, correction=correction).hit
    same = judge.decide("How do I open it?", "how do I open it", 0.99, evidence, correction=correction)
    assert (same.hit, same.learned) == (True, False)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(-1, 1), st.integers(0, 4)), min_size=3, max_size=20),
    st.floats(1e-3, 0.5),
)
def test_any_observations_give_a_probability(rows: list[tuple[float, bool, float, int]], rate: float) -> None:
    seen = [Seen(p, right, looks(support, similarity)) for p, right, similarity, support in rows] * 100
    correction = Correction.of("closed", seen)
    if correction is not None:
        found = [correction.probability(one.probability, one.features) for one in seen[:20]]
        assert all(0.5 <= probability <= 1 for probability in found)
        assert 0.5 <= correction.least(rate) <= NEVER
