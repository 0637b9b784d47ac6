"""Vectors that are compared one by one, exactly: up to ROWS of them. Knows neither store nor threads.

Rows are only appended; one that is removed is zeroed and passed over. So one thread may change a block while another
searches it: whatever it sees of a row in the midst of a change is not given out.
"""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Keys = NDArray[np.bytes_]  # in UTF-8
Rows = NDArray[np.float16]
Found = list[tuple[str, float]]

ROWS = 1024  # 1.5 MB of 384 floats, of which the kernel gives only what is written to; compared in 30 to 100 us


class Block:
    """`dimensions` of each vector, which is of unit length."""

    def __init__(self, dimensions: int) -> None:
        self._rows = np.zeros((ROWS, dimensions), np.float32)
        self._keys: list[str] = []
        self._row: dict[str, int] = {}

    @property
    def full(self) -> bool:
        return len(self._keys) == ROWS

    @property
    def live(self) -> int:
        """Not removed."""
        return len(self._row)

    def __contains__(self, key: str) -> bool:
        return key in self._row

    def add(self, key: str, vector: Vector) -> None:
        """A key that is not in it yet; it must not be full."""
        row = len(self._keys)
        self._rows[row] = vector
        self._row[key] = row
        self._keys.append(key)  # last: from now on the row is searched

    def remove(self, key: str) -> bool:
        """False when it is not in it."""
        row = self._row.pop(key, None)
        if row is None:
            return False
        self._rows[row] = 0
        return True

    def search(self, vector: Vector, k: int) -> Found:
        """The `k` nearest, in no order. Those that were removed meanwhile may be missing from these."""
        import faiss  # late: it costs start-up time

        count = len(self._keys)
        scores, rows = faiss.knn(vector[None], self._rows[:count], min(k, count), faiss.METRIC_INNER_PRODUCT)
        found = ((self._keys[row], row, float(score)) for row, score in zip(rows[0], scores[0], strict=True))
        return [(key, score) for key, row, score in found if self._row.get(key) == row]

    def contents(self) -> tuple[Keys, Rows]:
        """Of what is live; rows that are removed meanwhile may be damaged."""
        items = list(self._row.items())
        keys, rows = [key.encode() for key, _ in items], [row for _, row in items]
        return np.array(keys, np.bytes_), self._rows[rows].astype(np.float16)
