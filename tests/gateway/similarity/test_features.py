"""What a comparison looks like in numbers: the same for the same pair, and no text."""

import pytest

from gateway.similarity import Calibration, Judge, Other
from gateway.similarity.features import NAMES, VERSION, known

EVIDENCE = Calibration.of("open")


def numbers(a: str, b: str, similarity: float = 0.9, others: tuple[Other, ...] = ()) -> dict[str, float]:
    found = Judge().decide(a, b, similarity, EVIDENCE, others).features
    assert known(found)
    return dict(zip(NAMES, found[1:], strict=True))


def test_each_has_its_number_and_the_version_comes_first() -> None:
    looks = numbers("How do I open an account?", "How do I open a savings account abroad?")
    assert (looks["similarity"], looks["changed"], looks["same"]) == (0.9, 1, 0)
    assert looks["shared"] == pytest.approx(1.0986)
    assert looks["added"] > 0 == looks["exchanged"]
    assert sum(looks[name] for name in ("identical", "same", "restated", "statement", "report", "changed")) == 1


def test_the_questions_nearby_are_in_it() -> None:
    alone = numbers("How do I open an account?", "How can I open an account?")
    others = (Other(0.8, True), Other(0.7, False), Other(0.6, True))
    amid = numbers("How do I open an account?", "How can I open an account?", others=others)
    assert (alone["rival"], alone["support"]) == (0.4, 0)
    assert (amid["rival"], amid["support"]) == (0.7, 2)


def test_what_is_refused_has_none() -> None:
    assert Judge().decide("Is it 500 years old?", "Is it 50 years old?", 0.99, EVIDENCE).features == ()


@pytest.mark.parametrize("found", [(), (VERSION,), (VERSION + 1, *[0.0] * len(NAMES)), (VERSION, *[0.0] * 3)])
def test_those_of_another_version_are_not_read(found: tuple[float, ...]) -> None:
    assert not known(found)
