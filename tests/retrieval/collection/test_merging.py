from pathlib import Path

import numpy as np
import pytest

from retrieval.collection import merging
from tests.retrieval.collection.made import check, documents, loaded, written


def live(*parts: tuple[int, int]) -> list[np.ndarray]:
    """Parts of so many rows, of which so many stay."""
    return [np.arange(rows) < stay for rows, stay in parts]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(100, 100)], False),
        ([(100, 90)], False),
        ([(100, 89)], True),
        ([(90, 90), (10, 10)], False),
        ([(90, 90), (11, 11)], True),
        ([(90, 85), (5, 5), (5, 0)], True),
        ([(0, 0)], False),
        ([(1_000_000, 1_000_000), *[(1, 1)] * 15], False),
        ([(1_000_000, 1_000_000), *[(1, 1)] * 16], True),
    ],
)
def test_parts_are_put_together_when_a_tenth_is_elsewhere(parts: list[tuple[int, int]], expected: bool) -> None:
    assert merging.worthwhile(live(*parts)) is expected


def test_many_small_changes_stay_few_parts(tmp_path: Path) -> None:
    written(tmp_path, ["large"], count=40)
    counts = []
    for number in range(8):
        gone = [f"d{number - 2}"] if number % 3 == 2 else []
        counts.append(len(written(tmp_path, [f"d{number}"], remove=gone, count=2).parts))
    assert counts == [2, 3, 1, 2, 3, 1, 2, 3]  # of 40 to 46 rows, 4 and a little are a tenth
    collection = loaded(tmp_path)
    assert documents(collection) == {"large", "d1", "d2", "d4", "d5", "d6", "d7"}
    check(collection)


def test_pieces_are_in_order_and_leave_out_what_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "PIECE", 4)
    written(tmp_path, ["a"], count=11)
    (part,) = loaded(tmp_path).parts
    stays = np.array([True] * 4 + [False] * 4 + [True, False, True])
    some = [[position for position, _ in piece] for piece in merging.pieces(part.passages, stays)]
    assert some == [[0, 1, 2, 3], [8, 10]]
