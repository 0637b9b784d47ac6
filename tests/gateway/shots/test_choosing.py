"""choosing: by similarity, by label, ties by the file's order."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.shots.choosing import balanced, fixed, similar
from tests.gateway.shots.examples import kinds

SCORES = [0.1, 0.9, 0.5, 0.9, 0.2]
LABELS = ["a", "b", "b", "b", "c"]


def test_fixed_are_the_first_ones_and_all_where_nothing_is_said() -> None:
    assert fixed(kinds()) == tuple(range(8))
    assert fixed(kinds("shots: {count: 3}")) == (0, 1, 2)
    assert fixed(kinds("shots: {count: 99}")) == tuple(range(8))


def test_the_most_similar_come_first_and_of_equal_ones_the_earlier() -> None:
    assert similar(SCORES, 3) == (1, 3, 2)
    assert similar([0.5] * 4, 4) == (0, 1, 2, 3)


def test_balanced_takes_of_each_label_in_turn() -> None:
    assert balanced(SCORES, LABELS, 3) == (1, 4, 0)
    assert balanced(SCORES, LABELS, 5) == (1, 4, 0, 3, 2)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from("abc")), max_size=12), st.integers(1, 12))
def test_as_many_as_asked_for_and_labels_within_one_of_each_other(pairs: list[tuple[float, str]], count: int) -> None:
    scores, labels = [score for score, _ in pairs], [label for _, label in pairs]
    chosen = balanced(scores, labels, count)
    assert len(set(chosen)) == len(chosen) == min(count, len(pairs))
    for one in set(labels):
        mine = [place for place in chosen if labels[place] == one]
        others = [sum(labels[place] == other for place in chosen) for other in set(labels)]
        assert len(mine) >= max(others) - 1 or len(mine) == labels.count(one)
