"""views: a question by itself, and after what was said before it."""

from retrieval.search import views


def test_a_first_question_has_one_view() -> None:
    assert views("Why?", []) == ("Why?",)
    assert views("Why?", ["  ", ""]) == ("Why?",)


def test_a_later_one_is_also_searched_after_the_last_two_turns() -> None:
    assert views("And cats?", ["Do dogs swim?"]) == ("And cats?", "Do dogs swim?\nAnd cats?")
    assert views("d", ["a", "b", "c"]) == ("d", "b\nc\nd")
