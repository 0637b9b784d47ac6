"""Questions that Redis itself compares, on a real Redis 8: `TOLLGATE_TEST_REDIS8` names its redis-server.

No wheel carries one, so this is a proof and no test of every run.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway.neighbours import Neighbours
from gateway.state import Entry, State
from gateway.state.open import open_state
from tests.fakes.redis import RedisServer
from tests.gateway.vectors import clustered, noisy

pytestmark = pytest.mark.prove

ROWS = clustered(400, 64)


def entry(number: int, partition: str = "p") -> Entry:
    now, tags = time.time(), (f"tag {number % 2}",)
    return Entry(f"k{number}", partition, b"{}", now, now + 1_000, ROWS[number].tobytes(), tags)


def play(folder: Path, scenario: Callable[[State, Neighbours], Awaitable[None]], most: int = 1_000) -> None:
    executable = os.environ.get("TOLLGATE_TEST_REDIS8")
    if executable is None:
        pytest.fail("this proof needs a redis-server of version 8 or newer: name it in TOLLGATE_TEST_REDIS8")

    async def run(redis: RedisServer) -> None:
        url = f"{redis.url}?vectors=yes&timeout_ms=5000"
        state = await open_state(url, f"sqlite:///{folder}/ledger.db", max_entries=most)
        try:
            await scenario(state, Neighbours(state.answers, 10))
        finally:
            await state.close()

    with RedisServer(folder / "redis", executable=executable) as redis:
        asyncio.run(run(redis))


async def put(state: State, numbers: range) -> None:
    await asyncio.gather(*(state.answers.put(entry(number)) for number in numbers))


def test_the_nearest_are_found_at_once_with_their_cosines(tmp_path: Path) -> None:
    async def scenario(state: State, view: Neighbours) -> None:
        await put(state, range(400))
        await state.answers.put(replace(entry(7, "q"), key="elsewhere"))
        near = right = 0
        for query in noisy(ROWS[:100], 0.1, 0.4):
            cosines = ROWS @ query
            found = await view.nearest("p", query, time.time())
            assert len(found) == 5
            assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
            assert all(abs(score - cosines[int(key[1:])]) < 0.01 for key, score in found)
            near += 1
            right += abs(float(np.max(cosines)) - found[0][1]) < 0.01
        assert right >= 0.95 * near
        assert await view.nearest("none", ROWS[0], time.time()) == []

    play(tmp_path, scenario)


def test_what_is_removed_purged_replaced_or_evicted_is_not_found(tmp_path: Path) -> None:
    async def scenario(state: State, view: Neighbours) -> None:
        async def found() -> set[str]:
            return {key for key, _ in await view.nearest("p", ROWS[0], time.time(), 100)}

        await put(state, range(6))
        assert await found() == {f"k{number}" for number in range(6)}
        await state.answers.remove("k0")
        await state.answers.purge("tag 1")
        assert await found() == {"k2", "k4"}
        await asyncio.sleep(0.2)  # a gateway's purge holds for what was on its way
        await state.answers.put(replace(entry(2), vector=None))
        assert await found() == {"k4"}
        await put(state, range(10, 30, 2))
        assert await state.answers.count() == len(await found()) + (await state.answers.get("k2", 0.0) is not None) == 8

    play(tmp_path, scenario, most=8)


def test_a_vector_of_another_length_harms_nothing(tmp_path: Path) -> None:
    async def scenario(state: State, view: Neighbours) -> None:
        await state.answers.put(entry(0))
        odd = replace(entry(1), vector=b"\0" * 8)
        await state.answers.put(odd)
        assert await state.answers.get("k1", time.time()) == odd
        assert [key for key, _ in await view.nearest("p", ROWS[0], time.time())] == ["k0"]

    play(tmp_path, scenario)
