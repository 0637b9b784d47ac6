"""likeness: measures over all pairs of answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.workbench.likeness import jaccard, likeness


def test_words_are_compared_by_what_two_share_of_all_they_have() -> None:
    found = likeness(["The cat purrs.", "the CAT sleeps", "A ship floats"], None)
    assert found.jaccard == pytest.approx((2 / 4 + 0 + 0) / 3)
    assert (found.least_jaccard, found.cosine, found.distinct) == (0.0, None, 3)
    assert found.consistency == pytest.approx(1 / 3)


def test_the_same_answer_again_is_consistent_whatever_its_line_breaks() -> None:
    found = likeness(["one two", "one\ntwo ", "one two", "three"], None)
    assert (found.distinct, found.consistency) == (2, 0.75)


def test_vectors_are_compared_pair_by_pair() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    assert likeness(["a", "b", "a"], vectors).cosine == pytest.approx(1 / 3)
    assert likeness(["a"], vectors[:1]).cosine == 1.0


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_every_measure_is_a_share_and_all_the_same_is_one(texts: list[str]) -> None:
    found = likeness(texts, None)
    assert 0 <= found.least_jaccard <= found.jaccard <= 1
    assert 1 / len(texts) <= found.consistency <= 1
    same = likeness([texts[0]] * 3, None)
    assert (same.jaccard, same.distinct, same.consistency) == (1.0, 1, 1.0)


def test_nothing_and_nothing_are_the_same() -> None:
    assert jaccard(frozenset(), frozenset()) == 1.0
