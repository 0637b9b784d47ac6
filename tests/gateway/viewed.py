"""Cached questions with their vectors, put by one gateway, and what another one's view knows of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from gateway.neighbours import Neighbours
from gateway.neighbours.flat import ROWS, Vector
from gateway.state import Entry, State
from tests.gateway.vectors import vectors

D = 16
SOME = vectors(4 * ROWS, D)


def entry(number: int, partition: str = "p", **facts: object) -> Entry:
    now = time.time()
    said = {"vector": SOME[number].tobytes(), "tags": (f"tag {number % 2}",)} | facts
    return Entry(f"k{number}", partition, b"{}", now, now + 1_000, **said)


async def put(state: State, numbers: Sequence[int], partition: str = "p") -> None:
    await asyncio.gather(*(state.answers.put(entry(number, partition)) for number in numbers))


async def keys(view: Neighbours, vector: Vector, partition: str = "p", k: int = 5) -> list[str]:
    return [key for key, _ in await view.nearest(partition, vector, time.time(), k)]


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + 30
    while not await true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def knows(view: Neighbours, wanted: set[str]) -> bool:
    return set(await keys(view, SOME[0], k=100)) == wanted
