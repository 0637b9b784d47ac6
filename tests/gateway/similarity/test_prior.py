"""The prior: a probability for everything, never less for more similarity, and the limits that the settings rely on."""

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.similarity import Other, prior
from gateway.similarity.comparison import Comparison, Relation

RELATIONS = get_args(Relation)
COUNTS = st.integers(0, 60)
WORDS = st.builds(Comparison, COUNTS, COUNTS, COUNTS, COUNTS)
OTHERS = st.lists(st.builds(Other, st.floats(-1, 1), st.booleans()), max_size=6)
SIMILARITY = st.floats(-1.01, 1.01)


@given(st.sampled_from(RELATIONS), WORDS, SIMILARITY, SIMILARITY)
def test_more_similar_is_never_less_probable(relation: Relation, words: Comparison, one: float, other: float) -> None:
    low, high = (prior.opened(relation, words, similarity) for similarity in sorted((one, other)))
    assert 0 < low <= high < 1


@given(OTHERS, SIMILARITY, SIMILARITY)
def test_of_closed_sets_too(others: list[Other], one: float, other: float) -> None:
    low, high = (prior.closed(similarity, others) for similarity in sorted((one, other)))
    assert 0 < low <= high < 1


@given(WORDS, SIMILARITY)
def test_a_changed_question_is_served_under_no_usual_setting(words: Comparison, similarity: float) -> None:
    assert prior.opened("changed", words, similarity) <= 0.9


@pytest.mark.parametrize(
    ("relation", "similarity", "probability"),
    [
        ("same", 0.99, 0.99),
        ("same", 0.95, 0.95),
        ("restated", 0.89, 0.99),
        ("described", 0.92, 0.99),
        ("identical", 0.8, 0.998),
    ],
)
def test_limits_of_open_questions(relation: Relation, similarity: float, probability: float) -> None:
    assert prior.opened(relation, Comparison(6, 0, 0, 6), similarity) == pytest.approx(probability)


def test_in_a_short_question_a_function_word_weighs_less() -> None:
    short, long = (prior.opened("same", Comparison(n, 0, 0, n), 0.98) for n in (2, 8))
    assert short == pytest.approx(0.99)
    assert long < 0.98


def test_an_added_word_and_an_exchanged_one_weigh() -> None:
    several = [prior.log_odds(Comparison(9, *changed, 9), 0.97) for changed in ((0, 0), (0, 1), (0, 3))]
    assert all(more > less for more, less in pairwise(several))
    assert prior.log_odds(Comparison(9, 3, 0, 12), 0.97) < several[0]


def test_a_case_told_in_other_words_needs_less_similarity() -> None:
    told = [prior.opened("described", Comparison(9, exchanged, 0, 9), 0.89) for exchanged in range(prior.MOST + 2)]
    assert all(fewer < more for fewer, more in pairwise(told[: prior.MOST + 1]))
    assert told[prior.MOST] == told[prior.MOST + 1]
    assert told[1] < 0.99 < told[3]


def test_rivals_and_support() -> None:
    alone = prior.closed(0.85, [Other(0.3, False)])
    assert prior.closed(0.85, [Other(0.8, False)]) < alone < prior.closed(0.85, [Other(0.8, True)])


def test_only_the_nearest_others_count() -> None:
    near = [Other(0.8, True)] * prior.AROUND
    assert prior.closed(0.85, [*near, Other(0.79, False)]) == prior.closed(0.85, near)
