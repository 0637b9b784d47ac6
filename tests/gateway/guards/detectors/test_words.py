"""Block lists: whole words in any case, width and script; patterns of RE2."""

import pytest

from gateway.guards.detectors.words import PATTERN_REACH, Words


def found(words: Words, text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in words.find(text)]


def only(*words: str) -> Words:
    return Words(words)


@pytest.mark.parametrize("text", ["bad", "BAD", "ＢＡＤ", "b\u00ada\u200bd", "(Bad)", "so bad.", "bad-tempered"])
def test_a_word_is_found_whatever_its_dress(text: str) -> None:
    assert [kind for kind, _ in found(only("bad"), text)] == ["WORD"]


@pytest.mark.parametrize("text", ["badge", "a_bad", "bad1", "läbad", "badé", ""])
def test_a_part_of_a_word_is_none(text: str) -> None:
    assert found(only("bad"), text) == []


def test_words_side_by_side_are_all_found() -> None:
    assert found(only("bad"), "bad bad bad") == [("WORD", "bad")] * 3


def test_a_phrase_takes_any_white_space_and_hides_no_shorter_word() -> None:
    words = only("bad", "bad apple pie")
    assert found(words, "bad\n apple pie") == [("WORD", "bad\n apple pie")]
    assert found(words, "bad apple") == [("WORD", "bad")]
    assert found(words, "bad apple pies") == [("WORD", "bad")]


def test_a_script_that_parts_no_words_needs_no_border() -> None:
    assert found(only("禁止"), "我禁止你") == [("WORD", "禁止")]


def test_signs_in_a_word_are_no_pattern() -> None:
    assert found(only("c++", "a.b"), "C++ and a.b, not axb") == [("WORD", "C++"), ("WORD", "a.b")]


def test_patterns_see_the_case_and_find_inside_words() -> None:
    words = Words(patterns=("proj-[0-9]+", "(?i)top secret"))
    assert found(words, "xproj-12 Proj-1 TOP SECRET") == [("PATTERN", "proj-12"), ("PATTERN", "TOP SECRET")]


def test_a_pattern_that_matches_nothing_finds_nothing() -> None:
    assert found(Words(patterns=("x*",)), "abc") == []


def test_a_long_match_is_found_in_pieces_of_the_reach() -> None:
    text = "x" * (2 * PATTERN_REACH + 7)
    spans = [one.end - one.start for one in Words(patterns=("x+",)).find(text)]
    assert spans == [PATTERN_REACH, PATTERN_REACH, 7]


def test_what_may_become_a_word_is_held_back() -> None:
    words = only("bad apple pie")
    for cut in range(1, len("bad apple pie")):
        assert words.held("a b c " + "bad apple pie"[:cut]) >= cut
    assert words.held("x" * 1000) == words.reach
    assert Words(patterns=("a",)).held("a b c") == len("a b c")


@pytest.mark.parametrize("pattern", ["(?=a)", "(", r"(a)\1"])
def test_a_pattern_that_re2_does_not_take_is_named(pattern: str) -> None:
    with pytest.raises(ValueError, match="which RE2 does not take"):
        Words(patterns=(pattern,))


def test_a_word_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing is to be seen"):
        only("\u200b ")
