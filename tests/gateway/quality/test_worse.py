"""A canary, simulated: what is worse is found soon, what is not is left alone though it is looked at all the time."""

import random
from collections.abc import Callable
from math import comb, log

import pytest

from gateway.quality.rates import change
from gateway.quality.worse import Seen, worse

Alarm = Callable[[Seen, Seen], bool]


def alarmed(base: Seen, candidate: Seen, level: float = 0.01) -> bool:
    return worse(base, candidate, level).worse


def at_5_percent(base: Seen, candidate: Seen) -> bool:
    return alarmed(base, candidate, 0.05)


def canary(
    seed: int, base: float, candidate: float, weight: float, answers: int, alarm: Alarm = alarmed, outage: float = 0.0
) -> int | None:
    """How many answers of the candidate it took to hold it back; None when it was not. Looked at after every answer.

    The versions' shares are of invalid answers; in an outage (a fiftieth of the time) all have that share of errors.
    """
    chance, seen = random.Random(seed), [Seen(), Seen()]
    for number in range(answers):
        side = chance.random() < weight
        checks = ("invalid",) if chance.random() < (base, candidate)[side] else ()
        if number % 500 < 10 and chance.random() < outage:
            checks = ("error",)
        seen[side] = seen[side].add(checks)
        if alarm(*seen):
            return seen[1].answers
    return None


@pytest.mark.parametrize(("weight", "soon"), [(0.1, 60), (0.5, 150)])
def test_a_planted_regression_is_held_back_in_every_run(weight: float, soon: int) -> None:
    """30% invalid against 1%."""
    took = [canary(seed, 0.01, 0.3, weight, 2_000) for seed in range(20)]
    assert all(answers is not None and answers <= soon for answers in took), took


def test_a_harmless_change_is_not() -> None:
    for seed in range(20):
        assert canary(seed, 0.05, 0.05, 0.2, 500) is None
        assert canary(seed, 0.05, 0.02, 0.2, 500) is None


def repeated(base: Seen, candidate: Seen) -> bool:
    """What this is not: a test made for one look."""
    one, two = ((seen.found.get("invalid", 0), seen.answers) for seen in (base, candidate))
    return change(one, two, 0.1) > 0  # of both sides; 5% to be called worse


def test_looking_at_every_answer_raises_more_false_alarms_than_stated_but_for_this() -> None:
    """At a level of 5%: a hundred canaries without any difference."""
    naive = sum(canary(seed, 0.1, 0.1, 0.5, 300, repeated) is not None for seed in range(100))
    ours = sum(canary(seed, 0.1, 0.1, 0.5, 300, at_5_percent) is not None for seed in range(100))
    assert naive > 10
    assert ours <= 5


@pytest.mark.prove
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("share", "weight"), [(0.01, 0.1), (0.1, 0.1), (0.1, 0.5), (0.3, 0.5)])
@pytest.mark.parametrize("outage", [0.0, 0.5])
def test_false_alarms_over_whole_canaries_are_no_more_than_stated(share: float, weight: float, outage: float) -> None:
    """At 5%, 200 canaries of 2,000 answers: 10 are allowed; 20 would be had once in a thousand times by chance."""
    held = [canary(seed, share, share, weight, 2_000, at_5_percent, outage) for seed in range(200)]
    assert sum(answers is not None for answers in held) <= 20


def test_it_is_universal_inference() -> None:
    """By hand, of one kind: 0 of 2 bad, then 2 of 2: Jeffreys' mixtures 3/8 each, at best (1/2)**4."""
    judged = worse(Seen(2), Seen(2, {"invalid": 2}), bad=("invalid",))
    assert judged.evidence == pytest.approx((3 / 8) ** 2 / (1 / 2) ** 4)
    three = worse(Seen(2), Seen(2, {"invalid": 2}))
    nothing = (3 / 8) ** 2
    assert three.evidence == pytest.approx((judged.evidence + 2 * nothing) / 3)


def test_the_expectation_of_the_evidence_is_at_most_one_where_nothing_is_worse() -> None:
    """Over all outcomes of 12 answers each, exactly: the limit that Ville's inequality rests on."""
    for base, candidate in ((0.3, 0.3), (0.05, 0.05), (0.4, 0.2)):
        expected = sum(
            comb(12, k) * base**k * (1 - base) ** (12 - k) * comb(12, m) * candidate**m * (1 - candidate) ** (12 - m)
            * worse(Seen(12, {"invalid": k}), Seen(12, {"invalid": m}), bad=("invalid",)).evidence
            for k in range(13) for m in range(13)
        )  # fmt: skip
        assert expected <= 1


def test_it_says_what_speaks_against_it_and_by_how_much() -> None:
    base, candidate = Seen(1_000, {"truncated": 4, "error": 9}), Seen(200, {"truncated": 40, "error": 2})
    judged = worse(base, candidate)
    assert (judged.worse, judged.word, judged.base, judged.candidate) == (True, "truncated", 0.004, 0.2)
    assert judged.evidence > 1e6
    better = worse(candidate, base)
    assert not better.worse
    assert better.evidence < 1


def test_nothing_seen_is_no_evidence_and_the_surest_is_a_number() -> None:
    assert worse(Seen(), Seen()).evidence == pytest.approx(1.0)
    assert not worse(Seen(), Seen(50, {"invalid": 50})).worse, "without a base nothing can be worse than it"
    assert log(worse(Seen(10**7), Seen(10**7, {"invalid": 10**7})).evidence) > 600


def test_words_are_counted_once_an_answer() -> None:
    seen = Seen().add(("invalid", "repaired")).add(()).add(("invalid", "invalid"))
    assert (seen.answers, dict(seen.found)) == (3, {"invalid": 2, "repaired": 1})
    assert (seen.share("invalid"), Seen().share("invalid")) == (2 / 3, 0.0)
