"""calibration: fused scores as probabilities."""

import numpy as np

from retrieval.search.calibration import FLOOR, likely


def test_probabilities_rise_with_the_score() -> None:
    probable = likely(np.linspace(-1, 3, 50, dtype=np.float32))
    assert (np.diff(probable) >= 0).all()
    assert 0 <= probable[0] < 0.001
    assert 0.999 < probable[-1] <= 1


def test_a_passage_of_another_topic_is_under_the_floor_and_a_good_one_far_over_it() -> None:
    """0.3 is the cosine of texts that share a topic at best, without a word; 0.6 and half of the words is an answer."""
    other, answer = likely(np.array([0.3, 1.1], np.float32)).tolist()
    assert other < FLOOR < 0.9 < answer
