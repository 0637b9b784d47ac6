import random
import sqlite3
from collections.abc import Sequence

import pytest

from retrieval.document import Document
from retrieval.ingest.signatures import Originals, signature

WORDS = [f"word{letter}{other}" for letter in "abcdefghijklmnopqrst" for other in "abcdefghijklmnopqrst"]


def document(text: str, access: Sequence[str] = (), **metadata: str) -> Document:
    return Document("x", "T", text, (), tuple(access), metadata)


def text(words: int, seed: int = 1) -> list[str]:
    return random.Random(seed).choices(WORDS, k=words)


@pytest.fixture
def originals() -> Originals:
    return Originals(sqlite3.connect(":memory:"))


def copies(originals: Originals, *documents: Document) -> list[str | None]:
    return [originals.original(str(place), signature(one)) for place, one in enumerate(documents)]


def test_the_same_words_are_a_copy_whatever_the_case_and_white_space(originals: Originals) -> None:
    words = text(300)
    spaced = "\n\n".join(words).upper()
    assert copies(originals, document(" ".join(words)), document(spaced), document(spaced)) == [None, "0", "0"]


@pytest.mark.parametrize("words", [1, 3, 50])
def test_short_texts_are_compared_too(originals: Originals, words: int) -> None:
    one, other = (document(" ".join(text(words, seed))) for seed in (1, 2))
    assert copies(originals, one, other, one) == [None, None, "0"]


def test_a_word_more_is_a_copy_and_a_paragraph_more_is_none(originals: Originals) -> None:
    words = text(400)
    more = [document(" ".join([*words[:200], *text(extra, 9), *words[200:]])) for extra in (0, 1, 200)]
    assert copies(originals, *more) == [None, "0", None]


@pytest.mark.parametrize("seed", range(20))
def test_unlike_documents_are_not_taken_for_copies(originals: Originals, seed: int) -> None:
    half = text(200, 99)
    assert copies(originals, *(document(" ".join(half + text(200, seed + at))) for at in (0, 100))) == [None, None]


def test_another_number_is_another_document(originals: Originals) -> None:
    words = " ".join(text(400))
    assert copies(originals, document(f"Prices 2025 {words}"), document(f"Prices 2026 {words}")) == [None, None]


def test_other_labels_or_metadata_are_another_document_and_another_date_or_address_is_not(originals: Originals) -> None:
    words = " ".join(text(100))
    others = [document(words), document(words, ["hr"]), document(words, ["board", "hr"]), document(words, team="a")]
    assert copies(originals, *others) == [None] * 4
    assert copies(originals, document(words, date="2026-01-01", url="https://a.example/")) == ["0"]


def test_pages_of_one_address_may_differ_in_a_number_but_not_in_most_of_what_they_say(originals: Originals) -> None:
    words, url = " ".join(text(200)), "https://a.example/x"
    pages = [document(f"{words} seen {n} times", url=url) for n in (1, 2)]
    assert copies(originals, *pages, document(" ".join(text(200, 2)), url=url)) == [None, "0", None]


def test_a_copy_of_a_copy_names_the_original(originals: Originals) -> None:
    words = text(400)
    drifting = [document(" ".join(text(at, 7) + words)) for at in range(0, 60, 10)]
    found = copies(originals, *drifting)
    kept = {str(place) for place, original in enumerate(found) if original is None}
    assert found[0] is None
    assert set(found) - {None} <= kept
