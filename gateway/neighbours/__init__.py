"""The nearest cached questions within one partition: indexes in memory, made from the store on first use, kept fresh.

Knows no decision: it returns keys and cosine similarities. Every gateway has a view of its own of the shared store:

    load      reads a partition from the store, for which lookups wait; one of more than FLAT questions appears bit by
              bit, and is searched meanwhile
    follow    one poll of the store's `changes` for all partitions in memory, twice a second at most, and only when the
              cache is used; a lookup waits for it if the view is older than FRESH_S
    tend      merges what has grown (`partition.py`) in a thread of its own

A store that keeps an index itself is asked, and there is no view of it.

Bounded: the least recently used partitions are forgotten, and made again from the store when asked for; of a partition
that is larger than the bound alone, a part is compared. Invariants: an index holds vectors of one partition only; a
key's vector never changes (the key is a digest of the question); on the event loop nothing is searched that takes
longer than a fifth of a millisecond.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import suppress
from ctypes import CDLL
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

from gateway.exchange import Slot
from gateway.neighbours.flat import Vector
from gateway.neighbours.partition import FLAT, Merging, Partition
from gateway.neighbours.worker import Worker
from gateway.state import Answers, Changes, Entry, StateUnavailable
from gateway.state.eviction import ENTRIES

T = TypeVar("T")

POLL_S = 0.5  # between two polls: what others add and remove is known within a second
FRESH_S = 1.0  # a view older than that is not asked
AT_ONCE = 20  # questions taken in before the event loop turns to other things: some tenths of a millisecond


@dataclass(slots=True)
class _View:
    """`ready`: it is read from the store, or so much of it that nobody waits for the rest; `broken`: it cannot be."""

    part: Partition
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    broken: StateUnavailable | None = None


class Neighbours:
    """Views of `most` partitions at a time, with `entries` questions in all of them."""

    def __init__(self, answers: Answers, most: int, entries: int = ENTRIES) -> None:
        self._answers, self._most, self._entries = answers, most, entries
        self._views: OrderedDict[str, _View] = OrderedDict()
        self._cursor: str | None = None
        self._followed = float("-inf")  # when the view was last known to be whole, by time.monotonic()
        self._following: asyncio.Task[StateUnavailable | None] | None = None
        self._tending: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._searches, self._builds = Worker("neighbours-search"), Worker("neighbours-build")

    async def nearest(self, partition: str, vector: Vector, at: float, k: int = 5) -> list[tuple[str, float]]:
        """(key, cosine) of the `k` nearest questions, nearest first. `vector`: float32 [d], unit length.

        Raises StateUnavailable when the store cannot be read and there is no fresh view of it.
        """
        found = await self._answers.nearest(partition, vector.tobytes(), k)
        if found is not None:
            return found
        await self._fresh()
        part = await self._partition(partition, len(vector), at)
        if part.brief:
            return part.search(vector, k)
        return await self._searches.do(partial(part.search, vector, k))

    def add(self, slot: Slot | Entry) -> None:
        """Remember a new question of a partition that is in memory; the others will find it in the store."""
        if slot.vector is not None:
            self._add(slot.partition, slot.key, slot.vector)
            self._tend()

    def remove(self, key: str) -> None:
        """Forget a question whose answer is gone, before the store's changes say so."""
        for view in self._views.values():
            view.part.remove(key)

    async def _fresh(self) -> None:
        """Raises StateUnavailable."""
        age = time.monotonic() - self._followed
        if age > POLL_S and (self._following is None or self._following.done()):
            self._following = self._beside(self._follow())
        if age > FRESH_S and self._following and (failure := await asyncio.shield(self._following)):
            raise failure

    async def _follow(self) -> StateUnavailable | None:
        """Take in what happened since the last time; returns why that cannot be known."""
        asked = time.monotonic()
        try:
            while (changes := await self._answers.changes(self._cursor)).cursor != self._cursor:
                await self._take_in(changes)
                self._cursor = changes.cursor
        except StateUnavailable as error:
            return error
        self._followed = asked
        self._bound()
        self._tend()
        return None

    async def _take_in(self, changes: Changes) -> None:
        if changes.whole:
            self._views.clear()
        async for partition, key in _in_turns(changes.removed):
            if view := self._views.get(partition):
                view.part.remove(key)
        async for partition, key, vector in _in_turns(changes.added):
            self._add(partition, key, vector)

    def _add(self, partition: str, key: str, vector: bytes) -> None:
        view = self._views.get(partition)
        if view is not None and view.part.size < self._entries:
            view.part.add(key, vector)

    async def _partition(self, name: str, dimensions: int, at: float) -> Partition:
        """Of a large one that is being read, what is there. Raises StateUnavailable."""
        view = self._views.get(name)
        if view is None:
            view = self._views[name] = _View(Partition(dimensions))
            self._beside(self._load(name, view, at))
            self._bound()
        self._views.move_to_end(name)
        await view.ready.wait()
        if view.broken:
            raise view.broken
        return view.part

    async def _load(self, name: str, view: _View, at: float) -> None:
        try:
            await asyncio.to_thread(import_module, "faiss")  # a tenth of a second, the first time
            await self._read(name, view, at)
        except StateUnavailable as error:
            view.broken = error
            if self._views.get(name) is view:
                del self._views[name]
        finally:
            view.ready.set()
        self._bound()
        self._tend()

    async def _read(self, name: str, view: _View, at: float) -> None:
        with view.part.watched() as removed:
            async for page in self._answers.vectors(name, at):
                async for key, vector in _in_turns(page):
                    if key not in removed:
                        view.part.add(key, vector)
                if self._views.get(name) is not view or view.part.size >= self._entries:
                    break
                if view.part.flat >= FLAT:
                    view.ready.set()
                if view.part.flat >= 2 * FLAT and (tending := self._tend()):
                    await asyncio.wait([tending])

    def _bound(self) -> None:
        """Forget what was used least recently, never what is used now."""
        total = sum(view.part.size for view in self._views.values())
        while len(self._views) > 1 and (len(self._views) > self._most or total > self._entries):
            _, view = self._views.popitem(last=False)
            total -= view.part.size

    def _tend(self) -> "asyncio.Task[None] | None":
        """The task that merges what is due; None when nothing was."""
        if (self._tending is None or self._tending.done()) and self._due():
            self._tending = self._beside(self._merge())
        return self._tending

    def _beside(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """A task that lives until it is done, whoever forgets it: the event loop keeps only weak references."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _due(self) -> tuple[Partition, Merging] | None:
        for view in self._views.values():
            if merging := view.part.due():
                return view.part, merging
        return None

    async def _merge(self) -> None:
        while due := self._due():
            await self._made(*due)
            del due  # and with it what was merged
            await self._builds.do(_give_back)

    async def _made(self, part: Partition, merging: Merging) -> None:
        with part.watched() as removed:
            await self._builds.do(merging.make)
        part.replace(merging, removed)


def _give_back() -> None:
    """What merging freed, to the kernel: of itself glibc keeps it, as much again as all the questions take."""
    with suppress(AttributeError):  # another C library
        CDLL(None).malloc_trim(0)


async def _in_turns(things: Iterable[T]) -> AsyncIterator[T]:
    """One by one; now and then others have their turn."""
    for number, thing in enumerate(things, 1):
        yield thing
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
