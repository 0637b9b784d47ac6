"""One partition's questions: the newest in blocks that are searched whole, older ones in cells, made from full blocks.

A log-structured merge tree (O'Neil 1996): FLAT questions in full blocks become cells, FANOUT cells of the smallest kind
become larger ones, up to MOST; cells of which a quarter was removed are made anew. So a question is built into cells a
few times in its life, never under a lookup: the new ones take the place of what they were made from in one step.

Changed by one thread (the event loop's) and searched by any: a search sees the parts of before or after a change. Knows
no store.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from gateway.neighbours.cells import Cells
from gateway.neighbours.flat import ROWS, Block, Found, Vector

FLAT = 16 * ROWS  # compared in 1 ms
FANOUT = 4
# 262,144: made in 10 s of a core, with 0.5 GB beside it while it is. Four times that might be searched faster than
# four of these (an estimate), but is made in 80 s with 2 GB.
MOST = FLAT * FANOUT**2
DEAD = 0.25  # of what cells hold; until then they are passed over in each search
BRIEF = 2 * ROWS  # compared in 0.1 ms


@dataclass(slots=True)
class Merging:
    """`sources` on the way to become one; `made` is None when they hold nothing more."""

    sources: tuple[Block | Cells, ...]
    made: Cells | None = None

    def make(self) -> None:
        """For another thread. Takes some 30 us a question."""
        keys, rows = map(np.concatenate, zip(*(source.contents() for source in self.sources), strict=True))
        self.made = Cells(keys, rows) if len(keys) else None


class Partition:
    """Vectors of `dimensions` floats by key. What is not of that length is left out: no search could compare it."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._parts: tuple[Block | Cells, ...] = ()  # the last one takes what is new, if it can
        self._watches: list[set[str]] = []

    @property
    def size(self) -> int:
        """Questions that can be found."""
        return sum(part.live for part in self._parts)

    @property
    def flat(self) -> int:
        """Places in blocks, taken or not."""
        return ROWS * sum(isinstance(part, Block) for part in self._parts)

    @property
    def brief(self) -> bool:
        """Whether a search takes no longer than to hand it to another thread."""
        return self.flat <= BRIEF and self.flat == ROWS * len(self._parts)

    def add(self, key: str, vector: bytes) -> None:
        """No-op when it has the key. `vector`: its floats as they are in memory."""
        if len(vector) != 4 * self._dimensions or any(key in part for part in self._parts):
            return
        last = self._parts[-1] if self._parts else None
        block = last if isinstance(last, Block) and not last.full else Block(self._dimensions)
        block.add(key, np.frombuffer(vector, np.float32))
        if block is not last:
            self._parts = (*self._parts, block)

    def remove(self, key: str) -> None:
        """No-op when it has not the key."""
        for part in self._parts:
            part.remove(key)
        for removed in self._watches:
            removed.add(key)

    def search(self, vector: Vector, k: int) -> Found:
        """The `k` nearest, nearest first. Any thread may ask."""
        found = {key: score for part in self._parts for key, score in part.search(vector, k)}
        return sorted(found.items(), key=lambda one: -one[1])[:k]

    @contextmanager
    def watched(self) -> Iterator[set[str]]:
        """The keys that are removed from now on."""
        removed: set[str] = set()
        self._watches.append(removed)
        try:
            yield removed
        finally:
            self._watches = [watch for watch in self._watches if watch is not removed]

    def due(self) -> "Merging | None":
        """What should become one now, if anything should."""
        full = [part for part in self._parts if isinstance(part, Block) and part.full]
        cells = [part for part in self._parts if isinstance(part, Cells)]
        worn = [part for part in cells if part.live < (1 - DEAD) * part.size]
        small = sorted(cells, key=lambda part: part.live)[:FANOUT]
        if len(full) * ROWS >= FLAT:
            return Merging(tuple(full[: MOST // ROWS]))
        if worn:
            return Merging(tuple(worn[:1]))
        if len(small) == FANOUT and sum(part.live for part in small) <= MOST:
            return Merging(tuple(small))
        return None

    def replace(self, merging: Merging, removed: Iterable[str]) -> None:
        """Put what was made in the place of its sources, less what was removed while it was."""
        rest = [part for part in self._parts if part not in merging.sources]
        if merging.made:
            for key in removed:
                merging.made.remove(key)
            rest.insert(0, merging.made)
        self._parts = tuple(rest)
