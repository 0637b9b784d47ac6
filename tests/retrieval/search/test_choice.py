"""choice: reranked, over the floor, without repetition."""

import pytest

from retrieval.collection import Collection
from retrieval.passage import Found
from retrieval.search import FLOOR, chosen, reranked
from tests.retrieval.search.small import made, passage, unit


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """The first two say the same."""
    vectors = [unit(1, 0, 0), unit(1, 0.01, 0), unit(0, 1, 0)]
    some = [(passage(f"text {number}", f"d{number}"), vector) for number, vector in enumerate(vectors)]
    return made(tmp_path_factory.mktemp("c") / "pages", some)


def found(collection: Collection, *scores: float) -> list[Found]:
    passages = collection.passages(range(len(scores)))
    return [Found(one, score, {}, row) for row, (one, score) in enumerate(zip(passages, scores, strict=True))]


def rows(some: list[Found]) -> list[int]:
    return [one.row for one in some]


def test_what_is_less_probable_than_the_floor_is_left_out(collection: Collection) -> None:
    some = found(collection, 0.9, FLOOR, FLOOR - 0.001)
    assert rows(chosen(collection, some, 3)) == [0, 1]
    assert rows(chosen(collection, some, 3, floor=0.5)) == [0]
    assert chosen(collection, some, 3, floor=0.95) == []


def test_one_that_repeats_a_better_one_gives_way_to_one_nearly_as_good(collection: Collection) -> None:
    assert rows(chosen(collection, found(collection, 0.9, 0.85, 0.8), 2)) == [0, 2]


def test_repetition_weighs_less_than_a_clear_difference(collection: Collection) -> None:
    assert rows(chosen(collection, found(collection, 0.9, 0.85, 0.5), 2)) == [0, 1]


def test_without_a_penalty_they_are_simply_the_best(collection: Collection) -> None:
    assert rows(chosen(collection, found(collection, 0.9, 0.85, 0.8), 2, repetition=0)) == [0, 1]


def test_where_all_fit_all_are_taken_in_their_order(collection: Collection) -> None:
    assert rows(chosen(collection, found(collection, 0.9, 0.85, 0.8), 3)) == [0, 1, 2]


def test_a_cross_encoder_orders_and_the_probabilities_stay(collection: Collection) -> None:
    again = reranked(found(collection, 0.9, 0.5, 0.2), [-3.0, 7.5, 0.1])
    assert rows(again) == [1, 2, 0]
    assert [one.score for one in again] == [0.9, 0.5, 0.2]
    assert [one.parts["rerank"] for one in again] == [7.5, 0.1, -3.0]


def test_a_score_for_each_or_none_at_all(collection: Collection) -> None:
    with pytest.raises(ValueError, match="shorter"):
        reranked(found(collection, 0.9, 0.5), [1.0])
    assert reranked([], []) == []
