"""metrics: as trec_eval counts."""

from math import isclose, log2

import numpy as np

from retrieval.evaluate.metrics import interval, ndcg, recall, reciprocal_rank

GRADES = {"a": 2, "b": 1, "c": 1}


def test_ndcg_has_linear_gains_and_the_best_possible_order_as_its_measure() -> None:
    assert ndcg(["a", "b", "c"], GRADES) == 1
    assert isclose(ndcg(["x", "a"], GRADES), (2 / log2(3)) / (2 + 1 / log2(3) + 1 / 2))
    assert ndcg(["x", "y"], GRADES) == 0
    assert ndcg(["x", "a"], GRADES, k=1) == 0
    assert ndcg(["a"], GRADES, k=1) == 1, "the best that one place allows"


def test_recall_is_of_all_that_is_relevant() -> None:
    assert isclose(recall(["a", "x", "c"], GRADES), 2 / 3)
    assert isclose(recall(["a", "x", "c"], GRADES, k=2), 1 / 3)


def test_the_reciprocal_rank_is_of_the_first_relevant_one() -> None:
    assert reciprocal_rank(["x", "b", "a"], GRADES) == 1 / 2
    assert reciprocal_rank([], GRADES) == 0


def test_the_interval_holds_the_mean_and_narrows_with_more_questions() -> None:
    values = np.random.default_rng(1).uniform(size=400)
    low, high = interval(values.tolist())
    few_low, few_high = interval(values[:25].tolist())
    assert low < values.mean() < high
    assert isclose(high - low, 2 * 1.96 * values.std() / 20, rel_tol=0.1)
    assert few_high - few_low > 2 * (high - low)
    assert interval([0.5]) == (0.5, 0.5)
