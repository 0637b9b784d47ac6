"""When parts are put together, and how: what is live of some parts, written anew as one.

A search asks each part, and walks over removed rows: both cost, and so does writing everything anew.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import numpy as np

from retrieval.collection.drafting import PartDraft
from retrieval.collection.part import Bitmap
from retrieval.collection.passages import Passages
from retrieval.passage import Passage
from retrieval.protocols import Rows
from retrieval.query import Vectors

SHARE: Final = 0.1  # of all rows: removed, or outside the largest part; each passage is rewritten some 10 times at most
PARTS: Final = 16  # each costs a search of its own, 0.1 ms and more
PIECE: Final = 2048  # rows at a time: some megabytes of text and vectors


class Source(Protocol):
    """A part to take from: one that is served, or one that was just written."""

    @property
    def passages(self) -> Passages: ...
    def reconstruct(self, positions: Rows) -> Vectors: ...


def worthwhile(live: Sequence[Bitmap]) -> bool:
    """Whether to write parts anew as one; `live` is which rows of each, of one at least, stay."""
    rows = sum(map(len, live))
    largest = max(int(part.sum()) for part in live)
    return len(live) > PARTS or rows - largest > SHARE * rows


def merge(sources: Sequence[Source], live: Sequence[Bitmap], target: PartDraft) -> None:
    """Add the live rows of all sources to a part, in their order. Raises OSError."""
    for source, rows in zip(sources, live, strict=True):
        for some in pieces(source.passages, rows):
            positions, passages = zip(*some, strict=True)
            target.add(passages, source.reconstruct(np.array(positions)))


def pieces(passages: Passages, live: Bitmap) -> Iterator[list[tuple[int, Passage]]]:
    """The live passages of a part with their positions, in order, some at a time."""
    for start in range(0, len(live), PIECE):
        some = [(position, passage) for position, passage in passages.between(start, start + PIECE) if live[position]]
        if some:
            yield some
