"""What is read of a question: common forms, numbers, what is asked, of whom."""

import pytest

from gateway.similarity.reading import Reading, read
from gateway.similarity.words import lemma

SAME_WORD = [
    "use uses used using", "child children kids", "city cities", "buy buys bought purchase", "try tries tried",
    "wedding weddings", "plan plans planned planning", "colour color", "metre meters metres", "box boxes",
    "write writes wrote written writing", "mom mum mother",
]  # fmt: skip
OTHER_WORD = ["cat dog", "lose loose", "import export", "man woman", "thing think", "bus but", "process procession"]


@pytest.mark.parametrize("words", SAME_WORD)
def test_forms_of_one_word(words: str) -> None:
    assert len({lemma(word) for word in words.split()}) == 1


@pytest.mark.parametrize("words", OTHER_WORD)
def test_other_words_stay_apart(words: str) -> None:
    one, other = words.split()
    assert lemma(one) != lemma(other)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("two and 2", ("2", "2")),
        ("twenty five or 25", ("25", "25")),
        ("two hundred, 200, 2 hundred", ("200", "200", "200")),
        ("1,000 and 1000 and 1k", ("1000", "1000", "1000")),
        ("one of them", ()),
        ("one week", ("1",)),
        ("version 3.11.2 at 10:30", ("10:30", "3.11.2")),
        ("no numbers", ()),
        ("IPv6", ("6",)),
        ("half a dozen", ("0.5", "12")),
    ],
)
def test_numbers(text: str, numbers: tuple[str, ...]) -> None:
    assert read(text).numbers == numbers


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("What is it?", {"what"}),
        ("Which one is it", {"what"}),
        ("How do I do it?", {"how"}),
        ("What is the best way to do it?", {"how"}),
        ("Is there a way to do it?", {"how"}),
        ("Can you please tell me how to do it?", {"how"}),
        ("I would like to know when it opens.", {"when"}),
        ("How many are there?", {"how many"}),
        ("How come it broke?", {"why"}),
        ("Is it open?", {"whether"}),
        ("Are there any discounts?", {"exists"}),
        ("What is it and how does it work?", {"what", "how"}),
        ("It broke. Why?", {"why"}),
        ("Explain the tax.", {"what"}),
        ("It broke when I opened it.", set()),
        ("The man who left.", set()),
        ("", set()),
    ],
)
def test_what_is_asked(text: str, asks: set[str]) -> None:
    assert read(text).asks == asks


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What's it?", "What is it?"),
        ("I can't go", "i cannot go"),
        ("They've won", "they have won"),
        ("whats new", "What is new?"),
        ("The store’s hours", "the store's hours"),
        ("e-mail", "email"),
        ("HELLO THERE", "hello there"),
    ],
)
def test_the_same_forms(one: str, other: str) -> None:
    assert read(one).forms == read(other).forms


def attribute(name: str, text: str) -> object:
    return getattr(read(text), name)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("content", "How do I reset the password of my phone?", ("reset", "password", "phon")),
        ("roles", "Fly from Rome to Bern", ("", "from", "to")),
        ("names", "Is Rome near Bern?", {"rom", "bern"}),
        ("names", "What does IT say about C++?", {"IT", "c++"}),
        ("names", "IS IT NEAR ROME", frozenset()),
        ("units", "5 mg, 3 days and 2 km", ("day", "km", "mg")),
        ("units", "I am here at 5 am", ("am",)),
        ("calendar", "On Mondays in Jan", {"monday", "january"}),
        ("tense", "Did it rain?", "past"),
        ("tense", "Will it rain?", "future"),
        ("tense", "Could it rain?", "modal"),
        ("tense", "It rains", ""),
        ("past", "Who won the game they played?", {"win", "play"}),
        ("persons", "Can you tell me if I may call you?", "12"),
        ("thirds", "He and his friend", {"he"}),
        ("negated", "Why can't it start?", (("", "start"),)),
        ("counted", "for two adults", {("for", "2", "adult")}),
        ("letters", "from a to b", "ab"),
        ("letters", "a cat and a dog", ""),
        ("points", "What is this?", True),
        ("points", "What happened this year?", False),
        ("own", "Should I go?", True),
        ("own", "When should I go?", False),
        ("tells", "I have had it since May. What is it?", True),
        ("tells", "What is it that my boss said?", False),
        ("tells", "It hurts. My knee is red.", True),
        ("tells", "How do I open it, and can we close it?", False),
        ("tells", "Why can't I open it?", False),
        ("tells", "I want to know what it is.", False),
        ("question", "you there?", True),
        ("question", "It is here.", False),
    ],
)
def test_what_is_kept_of_it(name: str, text: str, value: object) -> None:
    assert attribute(name, text) == value


def test_a_reading_is_a_value() -> None:
    assert isinstance(read("What is it?"), Reading)
    assert read("What is it?") is read("What is it?")
    assert hash(read("What is it?"))
