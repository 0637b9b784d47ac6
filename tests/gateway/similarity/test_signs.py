"""What is left of a text's signs: pauses stay pauses, what means something becomes a sign that is none."""

import pytest

from gateway.similarity.signs import written


def meant(text: str) -> list[int]:
    """Where a pause, dash or quote was taken for a sign of its own."""
    return [at for at, char in enumerate(written(text)) if "\ue000" <= char <= "\uf8ff"]


@pytest.mark.parametrize(
    "text",
    [
        "Really, is it open?!", "It failed: why...", "'Open?' is what he asked.", "Is it 10:30 or 3.11.2?",
        "A price - roughly - of 5-10", "the store's 1990's hours", "It is closed. Why?", "Is it on, please ?", "",
    ],
)  # fmt: skip
def test_the_pauses_quotes_and_dashes_of_sentences_stay(text: str) -> None:
    assert written(text) == text


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a != b", [2]),
        ("5!?", [1]),
        ("15! is", [2]),
        ("(a+b)! is", [5]),
        ("v.2", [1]),
        ("is `;` it", [4]),
        ("the ! sign", [4]),
        ("node.js.", [4]),
        (".env", [0]),
        ("use --force", [4, 5]),
        ("i-- or", [1, 2]),
        ('escape "?', [7]),
        ("6' tall", [1]),
    ],
)
def test_others_mean_something(text: str, places: list[int]) -> None:
    assert meant(text) == places


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a “loan”", 'a "loan"'),
        ("`ls` it", "'ls' it"),
        ("1,000 ﬁles", "1000 files"),
        ("2³", "2 ^3"),
        ("a loan (a mortgage)?", "a loan  a mortgage ?"),
        ("(a + b) * c", "(a + b) * c"),
        ("f(x)", "f(x)"),
    ],
)
def test_one_way_of_writing(text: str, plain: str) -> None:
    assert written(text) == plain
