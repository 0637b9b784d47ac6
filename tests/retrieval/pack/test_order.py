"""Best first, second best last; one set of passages in one order."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from retrieval.pack import Orders, ends
from tests.retrieval.pack.passages import found, starts

FIVE = found("a", "b", "c", "d", "e")


def test_the_best_is_first_and_the_second_best_last() -> None:
    assert starts(ends(FIVE)) == [1, 3, 5, 4, 2]
    assert starts(ends(FIVE[:2])) == [1, 2]
    assert ends([]) == ()


@given(st.permutations(FIVE))
def test_a_set_of_passages_has_one_order_however_it_ranks(ranked: list[object]) -> None:
    orders = Orders()
    first = orders.of("acme", FIVE)
    assert starts(first) == [1, 3, 5, 4, 2]
    assert orders.of("acme", ranked) == first  # type: ignore[arg-type]


def test_another_set_or_owner_has_an_order_of_its_own() -> None:
    orders = Orders()
    orders.of("acme", FIVE)
    back = FIVE[::-1]
    assert starts(orders.of("globex", back)) == [5, 3, 1, 2, 4]
    assert starts(orders.of("acme", back[1:])) == [4, 2, 1, 3]


def test_a_passage_that_has_grown_is_another_one() -> None:
    orders, first = Orders(), FIVE[:2]
    orders.of("acme", first)
    grown = replace(first[0], passage=replace(first[0].passage, text="a and more", end=99))
    assert orders.of("acme", [first[1], grown]) == (first[1], grown)


def test_what_is_handed_out_is_as_it_came_in_this_time() -> None:
    """The order is remembered, not the scores."""
    orders = Orders()
    orders.of("acme", FIVE[:2])
    rated = [replace(one, score=0.5) for one in FIVE[:2]]
    assert orders.of("acme", rated[::-1]) == tuple(rated)


def test_the_oldest_order_is_forgotten() -> None:
    orders = Orders(most=2)
    for some in (FIVE[:3], FIVE[1:], FIVE[:3], FIVE[2:]):
        orders.of("acme", some)
    assert starts(orders.of("acme", FIVE[2::-1])) == [1, 3, 2]  # still the first order
    assert starts(orders.of("acme", FIVE[:0:-1])) == [5, 3, 2, 4]  # a new one
