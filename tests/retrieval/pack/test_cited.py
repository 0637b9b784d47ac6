"""Numbers in an answer, and the passages behind them."""

from retrieval.pack import citations, numbers
from tests.retrieval.pack.passages import found


def test_citations_are_resolved_once_in_order_of_appearance() -> None:
    cited, unknown = citations("Second [2], first [1, 3] and again [2][1].", found("first", "second", "third"))
    assert [one.number for one in cited] == [2, 1, 3]
    assert unknown == []
    assert (cited[0].document, cited[0].heading, cited[0].passage) == ("2.md", "T > 2", "p2")
    assert (cited[0].start, cited[0].end, cited[0].score) == (2, 8, 0.998)


def test_numbers_without_a_passage_are_told_apart() -> None:
    cited, unknown = citations("So [1], [0], [3] and [2026], [3].", found("one"))
    assert [one.number for one in cited] == [1]
    assert unknown == [0, 3, 2026]


def test_other_brackets_are_no_citations() -> None:
    assert citations("[x] [] [1.5] [-1] [12345] [1", found("one")) == ([], [])
    assert numbers("[x] [] [1.5] [-1] [12345] [1") == []
