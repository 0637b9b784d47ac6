"""Folding: what is meant is read, and every span leads back to what was written."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.guards.detectors.folding import REPLACEMENT, Folded


def test_ascii_is_left_as_it_is() -> None:
    text = "card 4111 1111"
    assert Folded(text).text is text
    assert Folded(text).span(5, 9) == (5, 9)


def test_digits_dashes_and_spaces_of_all_kinds_are_one() -> None:
    assert Folded("４１１１\u00a0\u0664\u0661\u2013\u2212\u2009x").text == "4111 41-- x"


def test_what_cannot_be_seen_is_gone() -> None:
    text = "41\u200b11\u00ad1\u2060\ufe0f1"
    folded = Folded(text)
    assert folded.text == "411111"
    assert folded.span(0, 6) == (0, len(text))
    assert folded.span(2, 4) == (3, 5)


def test_a_character_of_several_letters_is_found_by_each() -> None:
    folded = Folded("a㎏b")
    assert folded.text == "akgb"
    assert [folded.span(index, index + 1) for index in range(4)] == [(0, 1), (1, 2), (1, 2), (2, 3)]


def test_case_is_one_where_that_is_asked() -> None:
    assert Folded("ＳＴＲＡßE", casefold=True).text == "strasse"


def test_half_a_surrogate_pair_is_something_that_utf_8_carries() -> None:
    assert Folded("a\ud800b").text == f"a{REPLACEMENT}b"


@given(st.text(), st.booleans())
def test_spans_lie_in_the_text_and_rise(text: str, casefold: bool) -> None:
    folded = Folded(text, casefold=casefold)
    folded.text.encode()
    spans = [folded.span(index, index + 1) for index in range(len(folded.text))]
    assert spans == sorted(spans)
    assert all(0 <= start < end <= len(text) for start, end in spans)
