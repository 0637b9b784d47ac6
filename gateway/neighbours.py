"""The nearest cached question within one partition: FAISS flat indexes in memory, made from the store on first use.

Knows no decision: it returns a key and a cosine similarity. Bounded: the least recently used partition is forgotten
(and made again from the store when asked for). Invariant: an index holds vectors of one partition only.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gateway.exchange import Slot
from gateway.state import Answers

Vector = NDArray[np.float32]

FRESH_S = 300.0  # then a partition is read again: other gateways add to the same store, and answers expire


@dataclass(slots=True)
class _Partition:
    """Row i of the index is the question of `keys[i]`."""

    index: "faiss.IndexFlatIP"  # type: ignore[name-defined] # noqa: F821 # imported late: it costs start-up time
    keys: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    read: float = field(default_factory=time.monotonic)  # from the store, and when

    def add(self, key: str, vector: Vector) -> None:
        if key not in self.known:
            self.index.add(vector.reshape(1, -1))
            self.keys.append(key)
            self.known.add(key)


class Neighbours:
    """Indexes by partition, `most` of them at a time."""

    def __init__(self, answers: Answers, most: int) -> None:
        self._answers, self._most = answers, most
        self._partitions: OrderedDict[str, _Partition] = OrderedDict()
        self._loading = asyncio.Lock()

    async def nearest(self, partition: str, vector: Vector, at: float) -> tuple[str, float] | None:
        """(key, cosine) of the nearest question; None in an empty partition. `vector`: float32 [d], unit length."""
        part = await self._partition(partition, len(vector), at)
        if not part.keys:
            return None
        scores, rows = part.index.search(vector.reshape(1, -1), 1)
        return part.keys[int(rows[0][0])], float(scores[0][0])

    def add(self, slot: Slot) -> None:
        """Remember a new question of a partition that is in memory; the others will find it in the store."""
        part = self._partitions.get(slot.partition)
        if part is not None and slot.vector is not None:
            part.add(slot.key, np.frombuffer(slot.vector, np.float32))

    def forget(self, partition: str) -> None:
        """Read it anew from the store when it is asked for again."""
        self._partitions.pop(partition, None)

    async def _partition(self, partition: str, dimensions: int, at: float) -> _Partition:
        async with self._loading:
            part = self._partitions.get(partition)
            if part is None or time.monotonic() - part.read > FRESH_S:
                part = await self._load(partition, dimensions, at)
                self._partitions[partition] = part
            self._partitions.move_to_end(partition)
            while len(self._partitions) > self._most:
                self._partitions.popitem(last=False)
            return part

    async def _load(self, partition: str, dimensions: int, at: float) -> _Partition:
        import faiss

        part = _Partition(faiss.IndexFlatIP(dimensions))
        async for page in self._answers.vectors(partition, at):
            for key, vector in page:
                part.add(key, np.frombuffer(vector, np.float32))
        return part
