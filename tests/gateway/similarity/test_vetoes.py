"""Each veto alone: pairs that it sees, both ways round, and pairs that it lets pass."""

import pytest

from gateway.similarity import vetoes
from gateway.similarity.reading import read
from gateway.similarity.vetoes import VETOES, Veto
from tests.gateway.similarity.written import PARAPHRASES

DIFFERENT = {
    "numbers": [
        ("Keep logs for 500 days?", "Keep logs for 50 days?"),
        ("What changed in 3.11?", "What changed in 3.12?"),
        ("Meet at 10:30?", "Meet at 10:45?"),
        ("Compare 2 and 2", "Compare 2"),
        ("What is IPv4?", "What is IPv6?"),
        ("A table for two at 7", "A table for seven at 2"),
        ("Is -5 more?", "Is 5 more?"),
        ("A table for two hundred?", "A table for two?"),
        ("A room for one week", "A room for two weeks"),
        ("Fare for one adult and two children", "Fare for two adults and one child"),
    ],
    "units": [
        ("Is 5 mg too much?", "Is 5 g too much?"),
        ("How far is it in miles?", "How far is it in km?"),
        ("Rent for 3 months?", "Rent for 3 weeks?"),
        ("Is 40 C hot?", "Is 40 volts hot?"),
        ("What is 5% of it?", "What is 5 of it?"),
    ],
    "dates": [
        ("Open on Monday?", "Open on Friday?"),
        ("Fares in Jan?", "Fares in July?"),
        ("It rained", "It rained today"),
    ],
    "negation": [
        ("May I restart it?", "May I not restart it?"),
        ("Why does it start?", "Why doesn't it start?"),
        ("With a key?", "Without a key?"),
        ("Who CAN?", "Who CANNOT?"),
        ("Is it available?", "Is it unavailable?"),
        ("Is the refund taxable?", "Is the refund non taxable?"),
        ("Is it legal?", "Is it illegal?"),
        ("It starts in Rome but not in Bern", "It does not start in Rome but in Bern it starts"),
    ],
    "opposites": [
        ("How do I enable it?", "How do I disable it?"),
        ("How do I buy shares?", "How do I sell shares?"),
        ("What do I do before it?", "What do I do after it?"),
        ("Is it hard?", "Is it easy?"),
        ("Turn it on", "Turn it off"),
    ],
    "kind of question": [
        ("Who invented it?", "When was it invented?"),
        ("How do I open it?", "Why do I open it?"),
        ("How much is it?", "How long is it?"),
        ("Can I change it?", "How do I change it?"),
    ],
    "tense": [
        ("Did it sell?", "Will it sell?"),
        ("Who is the king?", "Who was the king?"),
        ("Who won?", "Who wins?"),
        ("Can it fail?", "Will it fail?"),
        ("Can dogs eat it?", "Do dogs eat it?"),
        ("What does it cost?", "What did it cost?"),
    ],
    "persons": [
        ("How can I help my boss?", "How can my boss help me?"),
        ("Can I call you?", "Can you call me?"),
        ("What did he say?", "What did she say?"),
    ],
    "order of words": [
        ("Are cats afraid of tigers?", "Are tigers afraid of cats?"),
        ("How do I get from Paris to Rome?", "How do I get from Rome to Paris?"),
        ("What do I pay with the card?", "What do I pay for the card?"),
        ("how do i get from a to b", "how do i get from b to a"),
        ("Is gold heavier than lead?", "Is lead heavier than gold?"),
        ("Does stress cause insomnia?", "Is stress caused by insomnia?"),
    ],
    "names": [
        ("How is Norway?", "How is Sweden?"),
        ("Who leads Boeing?", "Who leads Airbus?"),
        ("Is C++ fast?", "Is C# fast?"),
    ],
    "what they point at": [
        ("What language is this?", "Which language is this?"),
        ("See the link below", "See the link"),
    ],
    "who asks": [("Am I eligible?", "Am I eligible for it?"), ("Should I take it?", "Should I take it")],
}
ALIKE = [
    ("What does the cache do?", "What is the cache doing?"),
    ("Keep 50 logs for 3 days?", "For 3 days, keep 50 logs?"),
    ("Why can't it start?", "Why does it not start?"),
    ("Is a notebook under the table?", "Is the notebook under a table?"),
    ("Rent for two weeks?", "Rent for 2 weeks?"),
    ("Is it 1,000 km away?", "Is it 1000 kilometers away?"),
    ("Is it open on Mondays?", "Is it open on Monday?"),
    ("Compare C and Go", "Compare Go and C"),
    ("Can you tell me who won?", "Who won?"),
    ("What happened this year?", "What happened in this year?"),
    ("Is it possible to win?", "Can I win?"),
    ("Between 5-10 days", "between 5 - 10 days"),
    ("How can one win?", "How can I win?"),
]


@pytest.mark.parametrize(("name", "pair"), [(name, pair) for name, pairs in DIFFERENT.items() for pair in pairs])
def test_a_difference_is_seen_both_ways(name: str, pair: tuple[str, str]) -> None:
    one, other = map(read, pair)
    assert VETOES[name](one, other)
    assert VETOES[name](other, one)


@pytest.mark.parametrize("pair", ALIKE)
@pytest.mark.parametrize("name", VETOES)
def test_nothing_speaks_against_the_same(name: str, pair: tuple[str, str]) -> None:
    assert not VETOES[name](*map(read, pair))


@pytest.mark.parametrize("name", sorted(VETOES.keys() - {"what they point at", "who asks"}))
def test_no_question_differs_from_itself(name: str) -> None:
    for pair in PARAPHRASES:
        assert not VETOES[name](read(pair.a), read(pair.a))


@pytest.mark.parametrize(
    ("veto", "left_out", "changed"),
    [
        (vetoes.other_numbers, ("it took 5 days", "it took days"), ("it took 5 days", "it took 6 days")),
        (vetoes.other_units, ("it took 5 days", "it took 5"), ("it took 5 days", "it took 5 weeks")),
        (vetoes.other_dates, ("it broke on Monday", "it broke"), ("it broke on Monday", "it broke on Friday")),
    ],
)
def test_in_long_texts_only_a_contradiction_counts(
    veto: Veto, left_out: tuple[str, str], changed: tuple[str, str]
) -> None:
    assert not veto(*map(read, left_out))
    assert veto(*map(read, changed))


def test_a_name_that_is_left_out() -> None:
    pair = read("How is the weather in Oslo?"), read("How is the weather?")
    assert vetoes.any_name(*pair)
    assert not vetoes.names(*pair)
