"""The fewest characters that a pattern finds itself in: never more than a text that it is found in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.linting.widths import shortest

ATOMS = st.sampled_from(("a", "\\d", "[a-z]", ".", "^", "$", "\\.", "é"))
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(("*", "+", "?", "{2}", "{1,3}", "{2,}", "+?"))).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("pattern", "chars"),
    [("^[a-z]{2,3}$", 2), ("a|bc", 1), ("(ab|c)+d", 2), ("a+?b", 2), ("\\d{3}-x", 5), ("(a|)b", 1), ("^$", 0)],
)
def test_of_a_pattern(pattern: str, chars: int) -> None:
    assert shortest(pattern) == chars


@pytest.mark.parametrize("pattern", ["(?=a)b", "\\u0041", "(a", "a)", "[[:alpha:]]", "(?<n>a)", "a{,3}", "[]a]"])
def test_what_may_be_read_in_two_ways_counts_nothing(pattern: str) -> None:
    assert shortest(pattern) == 0


@given(PATTERNS, st.text(st.sampled_from("a1.zé"), max_size=8))
def test_no_text_that_it_is_found_in_is_shorter(pattern: str, text: str) -> None:
    if re.search(pattern, text):
        assert shortest(pattern) <= len(text)
