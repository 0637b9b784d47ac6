import numpy as np
import pytest

from gateway.neighbours.cells import Cells
from tests.gateway.vectors import Vectors, clustered, noisy, vectors

D = 32


def cells(rows: Vectors) -> Cells:
    return Cells(np.array([f"k{number}".encode() for number in range(len(rows))]), rows.astype(np.float16))


def test_near_questions_are_found_and_their_cosines_are_right() -> None:
    rows = clustered(4_000, D)
    made = cells(rows)
    queries = noisy(rows[:300], 0.05, 0.6)
    right = near = 0
    for query, cosines in zip(queries, queries @ rows.T, strict=True):
        best = int(np.argmax(cosines))
        found = dict(made.search(query, 5))
        if cosines[best] >= 0.85:
            near += 1
            right += f"k{best}" in found
        assert all(abs(score - cosines[int(key[1:])]) < 1e-3 for key, score in found.items())
    assert right >= 0.99 * near > 200


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_few_are_cells_too(count: int) -> None:
    rows = vectors(count, D)
    found = cells(rows).search(rows[0], 5)
    assert max(found, key=lambda one: one[1])[0] == "k0"


def test_what_was_removed_is_not_found_though_it_is_nearest() -> None:
    rows = clustered(1_000, D)
    made = cells(rows)
    twin = dict(made.search(rows[3], 2))
    assert made.remove("k3")
    assert not made.remove("k3")
    assert not made.remove("k1000000")
    assert not made.remove("")
    assert "k3" not in made
    assert "k4" in made
    found = dict(made.search(rows[3], 2))
    assert twin.keys() - {"k3"} < found.keys()
    assert "k3" not in found
    assert (made.live, made.size) == (999, 1_000)


def test_its_contents_are_what_it_was_made_from_less_what_was_removed() -> None:
    rows = clustered(1_000, D)
    made = cells(rows)
    for number in range(500):
        made.remove(f"k{number}")
    keys, kept = made.contents()
    assert sorted(keys) == sorted(f"k{number}".encode() for number in range(500, 1_000))
    for key, row in zip(keys, kept, strict=True):
        assert np.array_equal(row, rows[int(key[1:])].astype(np.float16))
