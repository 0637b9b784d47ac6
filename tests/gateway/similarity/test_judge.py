"""The decision as a whole: traps refused, paraphrases served, settings obeyed, reasons given."""

from collections import Counter
from itertools import pairwise

import pytest

from gateway.similarity import Calibration, Judge, Kind, Names, Other
from gateway.similarity.vetoes import VETOES
from tests.gateway.similarity.written import ADVERSARIAL, PARAPHRASES, Written

COLD = Calibration.of("open")
RATES = 0.005, 0.01, 0.03, 0.05


def served(pair: Written, rate: float = 0.01, names: Names = "tolerant") -> bool:
    a, b, similarity, _ = pair
    return Judge(rate, names=names).decide(a, b, similarity, COLD).hit


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("names", ["tolerant", "strict"])
def test_questions_that_only_look_alike_are_refused(rate: float, names: Names) -> None:
    wrong = [pair for pair in ADVERSARIAL if served(pair, rate, names)]
    assert len(wrong) <= 0.01 * len(ADVERSARIAL), wrong


@pytest.mark.parametrize("differs", sorted({pair.differs for pair in ADVERSARIAL}))
def test_of_every_kind_of_difference(differs: str) -> None:
    """One of the long cases is served: a loan was refused or a credit card, and the rest is told in other words."""
    wrong = [pair for pair in ADVERSARIAL if pair.differs == differs and served(pair)]
    assert len(wrong) <= (differs == "cases"), wrong


def test_refusing_everything_is_no_solution() -> None:
    hits = {rate: sum(served(pair, rate) for pair in PARAPHRASES) / len(PARAPHRASES) for rate in RATES}
    assert hits[0.01] > 0.55
    assert hits[0.03] > 0.8


def test_a_larger_setting_serves_what_a_smaller_one_does() -> None:
    for rate, larger in pairwise(RATES):
        assert all(served(pair, larger) for pair in PARAPHRASES if served(pair, rate))


def test_the_order_of_the_two_does_not_matter() -> None:
    for a, b, similarity, _ in (*ADVERSARIAL, *PARAPHRASES):
        one, other = (Judge().decide(*pair, similarity, COLD) for pair in ((a, b), (b, a)))
        assert one.hit == other.hit
        assert one.probability == pytest.approx(other.probability)


def test_a_refusal_says_why() -> None:
    decision = Judge().decide("Keep logs for 500 days?", "Keep logs for 50 days?", 0.988, COLD)
    assert (decision.hit, decision.probability, decision.reasons) == (False, 0.0, ("they differ in numbers",))


def test_a_hit_says_why() -> None:
    decision = Judge().decide("How do I reset my password?", "How can I reset my password?", 0.995, COLD)
    assert decision.hit
    assert decision.reasons == (
        "the same content words", "similarity 0.995", f"probability {decision.probability:.4f}, served from 0.9900",
    )  # fmt: skip


def test_a_template_may_ignore_a_veto() -> None:
    pair = "Who was the prime minister of Italy?", "Who is the prime minister of Italy?"
    assert not Judge().decide(*pair, 0.999, COLD).hit
    assert Judge(ignore=["tense"]).decide(*pair, 0.999, COLD).hit


def test_names_are_strict_or_tolerant() -> None:
    a = "Can I return a jacket that I ordered in your web shop three weeks ago if I kept the receipt and wore it once?"
    b = "Three weeks ago a coat came from the Zalando store. Is it possible to give it back, with bill, worn one time?"
    assert Judge(0.05).decide(a, b, 0.93, COLD).hit
    assert not Judge(0.05, names="strict").decide(a, b, 0.93, COLD).hit


CASE = "My laptop makes a loud noise after the last update and shuts down when I open a large video. What can I do?"
TOLD = (
    "Since the update this laptop is very loud, and I cannot open any large video or it turns off. How is that fixed?"
)


@pytest.mark.parametrize(
    ("told", "hit"),
    [
        (TOLD, True),
        (TOLD.replace("large", "small"), False),
        (TOLD.replace("Since the", "Since 2 days after the"), True),
        (TOLD.replace("Since the", "Since 2 days after the").replace("turns off", "turns off on Friday"), True),
    ],
)
def test_a_case_that_is_told_anew(told: str, hit: bool) -> None:
    assert Judge(0.01).decide(CASE, told, 0.9, COLD).hit is hit
    assert not Judge(0.01).decide(CASE, told, 0.85, COLD).hit


@pytest.mark.parametrize(("verb", "hit"), [("is", True), ("will be", False)])
def test_what_happened_is_another_case_than_what_will(verb: str, hit: bool) -> None:
    assert Judge(0.05).decide(CASE.replace("makes a loud noise", f"{verb} loud"), TOLD, 0.92, COLD).hit is hit


def test_a_case_with_other_numbers() -> None:
    two, three = (f"For {days} days {CASE}" for days in (2, 3))
    assert not Judge(0.05).decide(two, f"{TOLD} It is so for 3 days.", 0.95, COLD).hit
    assert Judge(0.05).decide(three, f"{TOLD} It is so for 3 days.", 0.95, COLD).hit


def test_a_day_that_a_report_adds_is_news() -> None:
    report = "The minister said that the bridge near the old harbour would reopen before the end of the long summer."
    assert Judge(0.05).decide(report, report.replace("old", "small"), 0.98, COLD).hit
    assert not Judge(0.05).decide(report, report.replace("said", "said on Monday"), 0.98, COLD).hit


def test_of_a_closed_set_less_similarity_is_enough() -> None:
    pair = "i did not get my card yet", "where is the card i ordered"
    assert not Judge(0.01, "open").decide(*pair, 0.91, COLD).hit
    assert Judge(0.01, "closed").decide(*pair, 0.91, Calibration.of("closed")).hit


@pytest.mark.parametrize(
    ("others", "hit"),
    [
        ([Other(0.80, True), Other(0.78, True), Other(0.75, True), Other(0.7, True)], True),
        ([Other(0.80, False), Other(0.78, True), Other(0.75, True), Other(0.7, True)], False),
    ],
)
def test_what_was_answered_nearby_decides_of_a_closed_set(others: list[Other], hit: bool) -> None:
    pair = "i did not get my card yet", "where is the card i ordered"
    assert Judge(0.01, "closed").decide(*pair, 0.82, Calibration.of("closed"), others).hit is hit


@pytest.mark.parametrize(
    "text", ["", "?", "   ", "こんにちは", "¿Cómo estás?", "1", "a" * 5000, "." * 50_000, "don't 's 'd", "\ud800"]
)
@pytest.mark.parametrize("kind", ["open", "closed"])
def test_any_text_gets_a_decision(text: str, kind: Kind) -> None:
    decision = Judge(kind=kind).decide(text, text, 1.0, Calibration.of(kind))
    assert 0 <= decision.probability <= 1
    assert not Judge(kind=kind).decide(text, "How do I reset my password?", 0.1, Calibration.of(kind)).hit


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("What does [] mean?", "What does {} mean?"),
        ("What does ! mean in bash?", "What does ? mean in bash?"),
        ("😀", "😡"),
        ("...", "???"),
        ("यह कि", "यह की"),
        ("What is 5 - 3?", "What is 5 + 3?"),
        ("user@host", "user host"),
        ("What does a != b mean?", "What does a = b mean?"),
        ("What is 5!?", "What is 5?"),
        ("What is n! in maths?", "What is n in maths?"),
        ('How do I escape " in bash?', "How do I escape ' in bash?"),
        ("How do I escape `?", "How do I escape '?"),
        ("What is `;` for in C?", "What is `:` for in C?"),
        ("What is ';' for in C?", "What is ';;' for in C?"),
        ("What does a := 1 do?", "What does a = 1 do?"),
        ("What is (2+3)*4?", "What is 2+(3*4)?"),
        ("What is (a + b) * c?", "What is a + (b * c)?"),
        ("What does f(x) mean?", "What does f x mean?"),
        ("What is __init__ for?", "What is init for?"),
        ("What does --force do?", "What does force do?"),
        ("What does i-- do in C?", "What does i do in C?"),
        ("What is .env for?", "What is env for?"),
        ("What is std::move?", "What is std move?"),
        ("How long is 6'?", 'How long is 6"?'),
        ("What is 2³?", "What is 23?"),
        ("Is .5 more?", "Is 5 more?"),
    ],
)
def test_signs_are_not_overlooked(a: str, b: str) -> None:
    assert not Judge(0.05).decide(a, b, 0.99, COLD).hit


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Is it open?", "is it open"),
        ("Really, is it open?!", "really is it open?"),
        ("What is a “loan”?", "What is a 'loan'?"),
        ("What is a loan (mortgage)?", "what is a loan mortgage"),
        ("What is node.js?", "what is Node.js"),
        ("It failed: why...", "It failed; why?"),
        ("What is 5 + 3 ?", "What is 5 + 3?"),
        ("What is the price - roughly?", "What is the price, roughly?"),
    ],
)
def test_pauses_are(a: str, b: str) -> None:
    decision = Judge(0.01).decide(a, b, 0.9, COLD)
    assert (decision.hit, decision.reasons[0]) == (True, "the same words")


def test_long_texts_of_other_languages_are_not_taken_for_english() -> None:
    a = "Meine Tochter hat seit gestern hohes Fieber und möchte nichts trinken, wann muss ich mit ihr zum Kinderarzt?"
    b = "Seit zwei Wochen hustet unser kleiner Sohn in der Nacht sehr stark, welches Mittel dürfen wir ihm da geben?"
    assert not Judge(0.05).decide(a, b, 0.95, COLD).hit
    assert not Judge(0.05).decide(a[:-1], b[:-1], 0.95, COLD).hit


@pytest.mark.parametrize("wrong", [{"max_error_rate": 0.0}, {"max_error_rate": 1.0}, {"ignore": ["numbres"]}])
def test_a_wrong_setting_is_refused_with_what_is_known(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="numbers, units, dates"):
        Judge(**wrong)  # type: ignore[arg-type]


def test_the_written_pairs_meet_most_vetoes() -> None:
    met = Counter(
        Judge(0.05).decide(a, b, similarity, COLD).reasons[0].removeprefix("they differ in ")
        for a, b, similarity, _ in ADVERSARIAL
    )
    assert met.keys() >= VETOES.keys() - {"names", "what they point at", "who asks"}
