"""The nearest cached questions where a real Redis loses its memory, or is away."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.neighbours import Neighbours
from gateway.state import StateUnavailable
from gateway.state.open import open_state
from tests.fakes.redis import RedisServer
from tests.gateway.viewed import SOME, keys, knows, put, until


def test_redis_loses_its_memory_or_is_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        state = await open_state(redis.url, f"sqlite:///{tmp_path}/ledger.db")
        view = Neighbours(state.answers, 10)
        try:
            await sooner_or_later(lambda: put(state, [0, 1]))
            await until(lambda: knows(view, {"k0", "k1"}))
            redis.admin.flushall()
            await until(lambda: knows(view, set()))
            await sooner_or_later(lambda: put(state, [2]))
            await until(lambda: knows(view, {"k2"}))
            redis.kill()
            await until(lambda: away(view))
            redis.start()
            await until(lambda: back(view))
        finally:
            await state.close()

    with RedisServer(tmp_path / "redis") as redis:
        asyncio.run(scenario())


async def sooner_or_later(work: Callable[[], Awaitable[None]]) -> None:
    for _ in range(100):
        try:
            return await work()
        except StateUnavailable:
            await asyncio.sleep(0.1)
    return await work()


async def away(view: Neighbours) -> bool:
    try:
        await keys(view, SOME[2])
    except StateUnavailable:
        return True
    return False


async def back(view: Neighbours) -> bool:
    return not await away(view) and await knows(view, {"k2"})


def test_a_store_that_is_away_at_first_is_read_when_it_is_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        state = await open_state(redis.url, f"sqlite:///{tmp_path}/ledger.db")
        view = Neighbours(state.answers, 10)
        try:
            await sooner_or_later(lambda: put(state, [2]))
            redis.pause()
            assert await away(view)
            redis.resume()
            await until(lambda: back(view))
        finally:
            await state.close()

    with RedisServer(tmp_path / "redis") as redis:
        asyncio.run(scenario())
