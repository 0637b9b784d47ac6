"""fusion: one score of two measures."""

import numpy as np

from retrieval.search.fusion import closer, fused, shares
from tests.retrieval.search.small import unit


def test_the_share_is_of_what_the_words_of_the_question_could_score() -> None:
    one_word, four_words = (
        shares(np.array([3.0], np.float32), text, 1000)[0] for text in ("boats", "why do boats float")
    )
    assert np.isclose(one_word, 3 / np.log(1001))
    assert np.isclose(four_words, one_word / 4)


def test_a_question_without_words_and_an_index_without_passages_are_no_error() -> None:
    assert shares(np.zeros(2, np.float32), "?!", 0).tolist() == [0, 0]


def test_both_measures_count() -> None:
    cosines, share = np.array([0.5, 0.5, 0.45], np.float32), np.array([0.1, 0.2, 0.2], np.float32)
    assert np.argsort(-fused(cosines, share)).tolist() == [1, 2, 0]


def test_the_question_moves_towards_the_best_and_keeps_its_length() -> None:
    question = unit(1, 0, 0) * np.float32(0.8)  # the mean of two views is shorter than 1
    vectors = np.stack([unit(1, 1, 0), unit(1, 0, 1)])
    moved = closer(question, vectors, np.array([0.9, 0.2], np.float32))
    assert moved[1] > 0.1
    assert abs(moved[2]) < 1e-6, "one that is far behind is not heard"
    assert np.isclose(np.linalg.norm(moved), 0.8)


def test_equals_are_heard_alike() -> None:
    vectors = np.stack([unit(1, 1, 0), unit(1, 0, 1)])
    moved = closer(unit(1, 0, 0), vectors, np.array([0.5, 0.5], np.float32))
    assert np.isclose(moved[1], moved[2])
