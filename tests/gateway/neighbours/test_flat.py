import numpy as np
import pytest

from gateway.neighbours.flat import ROWS, Block
from tests.gateway.vectors import noisy, vectors

D = 8


def block(count: int) -> tuple[Block, np.ndarray]:
    made, rows = Block(D), vectors(count, D)
    for number, row in enumerate(rows):
        made.add(f"k{number}", row)
    return made, rows


def test_the_nearest_are_found_with_their_cosines() -> None:
    made, rows = block(50)
    query = noisy(rows[7:8], 0.1, 0.1)[0]
    cosines = rows @ query
    best = np.argsort(-cosines)[:5]
    found = dict(made.search(query, 5))
    assert found == pytest.approx({f"k{row}": float(cosines[row]) for row in best}, abs=1e-6)
    assert "k7" in found


def test_fewer_than_asked_are_all_there_are() -> None:
    made, rows = block(3)
    assert len(made.search(rows[0], 5)) == 3


def test_what_was_removed_is_not_found_and_may_come_again() -> None:
    made, rows = block(3)
    assert made.remove("k1")
    assert not made.remove("k1")
    assert "k1" not in made
    assert "k1" not in dict(made.search(rows[1], 5))
    made.add("k1", rows[1])
    assert dict(made.search(rows[1], 1)) == pytest.approx({"k1": 1.0})
    assert made.live == 3


def test_a_block_says_when_it_is_full_and_gives_what_lives() -> None:
    made, rows = block(ROWS)
    assert made.full
    assert not block(ROWS - 1)[0].full
    for number in range(0, ROWS, 2):
        made.remove(f"k{number}")
    keys, kept = made.contents()
    assert list(keys) == [f"k{number}".encode() for number in range(1, ROWS, 2)]
    assert np.array_equal(kept, rows[1::2].astype(np.float16))
