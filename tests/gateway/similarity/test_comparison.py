"""Which kind of pair two questions are."""

import pytest

from gateway.similarity.comparison import Comparison, Relation, relate
from gateway.similarity.reading import read

LONG = "A laptop makes a loud noise after the last update and shuts down when one opens a large video. What is wrong?"
RESTATED = (
    "Since the new software was installed, a computer is very noisy and turns off if big movies start. What is it?"
)
CASE = "My laptop makes a loud noise after the last update and shuts down when I open a large video. What can I do?"
TOLD_ANEW = (
    "Since the update this laptop is very loud, and I cannot open any large video or it turns off. How is that fixed?"
)
REPORT = "The minister said on Monday that the bridge near the old harbour would reopen before the end of the summer."


@pytest.mark.parametrize(
    ("one", "other", "relation"),
    [
        ("How do I fix it?", "how do i fix it", "identical"),
        ("What's a loan?", "What is a loan?", "identical"),
        ("How do I fix a tap?", "How can I repair the tap?", "same"),
        ("How do I fix a tap?", "How to fix taps?", "same"),
        ("How do I fix a tap?", "Why do I fix a tap?", "changed"),
        ("How do I fix a tap?", "How do I fix a lamp?", "changed"),
        ("What do you think of taps?", "What do I think of taps?", "changed"),
        ("Do I have to fix taps?", "Do I fix taps?", "changed"),
        ("Should one fix a tap?", "Can one fix a tap?", "changed"),
        ("I lost the card", "I have lost my card", "statement"),
        ("I lost the card", "I lost the phone", "changed"),
        (REPORT, REPORT.replace("old", "new"), "report"),
        (REPORT, REPORT.replace("old", "narrow old stone"), "report"),
        (REPORT, REPORT.replace("old", "narrow old stone fishing"), "changed"),
        (LONG, RESTATED, "restated"),
        (LONG, LONG.replace("laptop", "phone"), "changed"),
        (LONG.removesuffix(" What is wrong?"), RESTATED, "changed"),
        (CASE, TOLD_ANEW, "described"),
        (CASE, "Since the update a laptop is loud and turns off at a large video, what can be done?", "described"),
        (CASE, CASE.replace("laptop", "phone"), "changed"),
        (CASE, "What can I do for my laptop?", "changed"),
        (
            "My laptop is hot from the last update. What can I do?",
            "How is my laptop fixed from the hot update?",
            "changed",
        ),
    ],
)
def test_relations(one: str, other: str, relation: Relation) -> None:
    a, b = read(one), read(other)
    assert relate(a, b, Comparison.of(a, b)) == relate(b, a, Comparison.of(b, a)) == relation


@pytest.mark.parametrize(
    ("one", "other", "counts", "overlap"),
    [
        ("red cat", "red cat", (2, 0, 0, 2), 1.0),
        ("red cat", "red dog", (1, 1, 0, 2), 1 / 3),
        ("red cat", "red cat home", (2, 0, 1, 2), 2 / 3),
        ("", "red", (0, 0, 1, 0), 0.0),
        ("", "", (0, 0, 0, 0), 1.0),
    ],
)
def test_counts(one: str, other: str, counts: tuple[int, int, int, int], overlap: float) -> None:
    words = Comparison.of(read(one), read(other))
    assert (words.shared, words.exchanged, words.added, words.fewest) == counts
    assert words.overlap == pytest.approx(overlap)
