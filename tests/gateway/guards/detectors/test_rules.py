"""Rules: all that counts is found, whatever stands before it, and the work is as long as the text."""

import pytest
import re2

from gateway.guards.detectors.rules import Rule, Rules, checked, compiled


def found(rules: list[Rule], text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in Rules(rules).find(text)]


EVEN = Rule("EVEN", r"\d{4}", checked(lambda value: int(value) % 2 == 0))


def test_a_candidate_that_fails_hides_none_that_begins_inside_it() -> None:
    assert found([EVEN], "11234") == [("EVEN", "1234")]


def test_two_findings_may_share_the_border_between_them() -> None:
    assert found([Rule("A", r"(?:^| )(a+)(?:$| )")], "a aa aaa") == [("A", "a"), ("A", "aa"), ("A", "aaa")]


def test_a_label_must_stand_before_in_the_same_line_and_without_a_digit_between() -> None:
    rule = Rule("N", r"\b(\d{3})\b", label="number")
    assert found([rule], "Number (of ours): 123, or 456") == [("N", "123")]
    assert found([rule], "number\n123") == []
    assert found([rule], "123 is a number") == []


def test_what_overlaps_is_one_finding_of_the_first_kind() -> None:
    assert found([Rule("B", "bc"), Rule("A", "abc?d?")], "xabcd") == [("B", "abcd")]


def test_places_count_characters_where_utf_8_needs_more_bytes() -> None:
    assert found([Rule("A", "a")], "日本語éaßa\U0001f600a") == [("A", "a")] * 3


def test_no_rules_find_nothing() -> None:
    assert Rules([]).find("a") == []


def test_a_pattern_that_re2_does_not_take_is_an_error() -> None:
    with pytest.raises(re2.error):
        compiled("(?=a)")


def test_a_walk_goes_over_a_long_candidate_once() -> None:
    """Counted, not timed: each candidate that fails would else be looked at again from its second character on."""
    seen: list[int] = []

    def spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
        seen.append(end - start)
        return []

    for length in (1_000, 10_000):
        seen.clear()
        Rules([Rule("A", r"\d(?: ?\d){12,}", spans, walked=True)]).find("1 " * length)
        assert seen == [2 * length - 1]
