"""The longest prefix that fits, without repetitions."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from retrieval.pack import pack
from retrieval.passage import Found
from tests.retrieval.pack.passages import found, starts


def test_all_are_packed_in_one_call_where_all_fit() -> None:
    answers = iter([True])
    assert starts(pack(found("a", "b", "c"), lambda some: next(answers))) == [1, 2, 3]


@given(count=st.integers(0, 200), room=st.integers(0, 250))
def test_the_longest_prefix_that_fits_is_found_in_few_calls(count: int, room: int) -> None:
    calls: list[int] = []

    def fits(some: Sequence[Found]) -> bool:
        calls.append(len(some))
        return len(some) <= room

    packed = pack(found(*(f"word{number}" for number in range(count))), fits)
    assert starts(packed) == list(range(1, min(count, room) + 1))
    assert len(calls) <= 1 + count.bit_length()


def test_repetitions_are_dropped_before_numbering() -> None:
    texts = ("The **KV cache** keeps keys.", "the kv  cache keeps keys", "KV cache", "It is large.", "KV caches")
    assert starts(pack(found(*texts), lambda some: True)) == [1, 4, 5]


def test_one_other_word_is_another_fact() -> None:
    texts = ("The limit is 500 tokens.", "The limit is 50 tokens.", "The limit is not 500 tokens.")
    assert starts(pack(found(*texts), lambda some: True)) == [1, 2, 3]


def test_nothing_found_packs_to_nothing_without_a_question() -> None:
    assert pack([], lambda some: 1 / 0 > 0) == ()
