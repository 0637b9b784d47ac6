from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from retrieval.pack import citations, pack
from retrieval.passage import Found, Passage


def found(*texts: str) -> list[Found]:
    return [
        Found(Passage(f"p{n}", f"{n}.md", "T", f"T > {n}", text, n, n + len(text)), 1 - n / 1000)
        for n, text in enumerate(texts, 1)
    ]


def numbers(packed: Sequence[Found]) -> list[int]:
    return [one.passage.start for one in packed]


def test_all_are_packed_in_one_call_where_all_fit() -> None:
    answers = iter([True])
    assert numbers(pack(found("a", "b", "c"), lambda some: next(answers))) == [1, 2, 3]


@given(count=st.integers(0, 200), room=st.integers(0, 250))
def test_the_longest_prefix_that_fits_is_found_in_few_calls(count: int, room: int) -> None:
    calls: list[int] = []

    def fits(some: Sequence[Found]) -> bool:
        calls.append(len(some))
        return len(some) <= room

    packed = pack(found(*(f"word{number}" for number in range(count))), fits)
    assert numbers(packed) == list(range(1, min(count, room) + 1))
    assert len(calls) <= 1 + count.bit_length()


def test_repetitions_are_dropped_before_numbering() -> None:
    texts = ("The **KV cache** keeps keys.", "the kv  cache keeps keys", "KV cache", "It is large.", "KV caches")
    assert numbers(pack(found(*texts), lambda some: True)) == [1, 4, 5]


def test_one_other_word_is_another_fact() -> None:
    texts = ("The limit is 500 tokens.", "The limit is 50 tokens.", "The limit is not 500 tokens.")
    assert numbers(pack(found(*texts), lambda some: True)) == [1, 2, 3]


def test_nothing_found_packs_to_nothing_without_a_question() -> None:
    assert pack([], lambda some: 1 / 0 > 0) == ()


def test_citations_are_resolved_once_in_order_of_appearance() -> None:
    packed = pack(found("first", "second", "third"), lambda some: True)
    cited, unknown = citations("Second [2], first [1, 3] and again [2][1].", packed)
    assert [one.number for one in cited] == [2, 1, 3]
    assert unknown == []
    assert (cited[0].document, cited[0].heading, cited[0].passage) == ("2.md", "T > 2", "p2")
    assert (cited[0].start, cited[0].end, cited[0].score) == (2, 8, 0.998)


def test_numbers_without_a_passage_are_told_apart() -> None:
    cited, unknown = citations("So [1], [0], [3] and [2026], [3].", pack(found("one"), lambda some: True))
    assert [one.number for one in cited] == [1]
    assert unknown == [0, 3, 2026]


def test_other_brackets_are_no_citations() -> None:
    assert citations("[x] [] [1.5] [-1] [12345] [1", found("one")) == ([], [])
