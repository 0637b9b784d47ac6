"""search: within a slack of the room by few counts, whatever the counts are."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.truncation.search import SLACK, TRIES, largest


def searched(tokens: Callable[[int], int], size: int, room: int) -> tuple[int, int, int]:
    """What is found, its count, and how many counts that took."""
    counts = 0

    async def count(keep: int) -> int:
        nonlocal counts
        counts += 1
        return tokens(keep)

    return *asyncio.run(largest(count, size, tokens(0), tokens(size), room)), counts


@pytest.mark.parametrize("per_token", [1, 2, 3.7, 5])
def test_even_counts_are_found_at_once(per_token: float) -> None:
    keep, tokens, counts = searched(lambda keep: 50 + int(keep / per_token), 400_000, 30_000)
    assert tokens == 50 + int(keep / per_token)
    assert (1 - SLACK) * 30_000 <= tokens <= 30_000
    assert counts == 1


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(0, 20), st.integers(1, 2000))
def test_uneven_counts_are_found_too(steps: list[int], least: int, room: int) -> None:
    """Each of the `steps` is a hundred bytes, of so many tokens each."""

    def tokens(keep: int) -> int:
        whole, part = divmod(keep, 100)
        return least + 100 * sum(steps[:whole]) + (part * steps[whole] if part else 0)

    size, room = 100 * len(steps), room + least
    keep, found, counts = searched(tokens, size, room)
    assert found == tokens(keep) <= room
    assert counts < TRIES
    assert keep == size or found >= (1 - SLACK) * room or tokens(keep + 1) > room


def test_counts_that_rise_at_one_place_end_too() -> None:
    keep, found, counts = searched(lambda keep: 0 if keep < 77_777 else 10_000, 1_000_000, 5_000)
    assert (keep, found) == (77_776, 0)
    assert counts < TRIES * 2
