"""nothing: the trade between what is recognised and what is lost."""

from retrieval.evaluate import Point, at, curve

ANSWERABLE = [number / 100 for number in range(20, 100)]
UNANSWERABLE = [number / 100 for number in range(40)]


def test_a_floor_recognises_some_and_loses_others() -> None:
    assert at(0.3, ANSWERABLE, UNANSWERABLE) == Point(0.3, recognised=30 / 40, lost=10 / 80)


def test_what_is_just_as_probable_as_the_floor_is_kept() -> None:
    assert at(0.5, [0.5], [0.5]) == Point(0.5, 0, 0)


def test_each_point_of_the_curve_is_the_most_that_its_share_allows() -> None:
    for share, point in zip((0.05, 0.25), curve(ANSWERABLE, UNANSWERABLE, (0.05, 0.25)), strict=True):
        assert point.lost == share, "80 questions: both shares are whole numbers of them"
        assert at(point.floor + 0.005, ANSWERABLE, UNANSWERABLE).lost > share


def test_questions_that_found_nothing_are_recognised_by_any_floor() -> None:
    assert at(0.01, [0.0, 0.9], [0.0]) == Point(0.01, 1, 0.5)
