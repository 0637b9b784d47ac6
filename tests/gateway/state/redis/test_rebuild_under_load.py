"""Redis loses its counters in the middle of everything: nothing is overspent; afterwards they are the files' sums."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.state import Limit
from gateway.state.redis.counts import open_key
from tests.fakes.redis import RedisServer
from tests.fakes.redis_groups import cluster, sentinel_group
from tests.gateway.state.redis.books import Books, told
from tests.gateway.state.redis.disasters import Disaster, empty, flush, kill, shorten
from tests.gateway.state.redis.machine import Machine, machines, until


def overspends_never(url: str, folder: Path, disaster: Callable[[], object], seed: int, times: int = 2) -> None:
    """Two machines, more asked than there is; the disaster comes at random moments."""
    chance, limit, books = random.Random(seed), Limit("tokens", "day", 1_500), Books()

    async def requests(one: Machine, stream: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            hold = one.asked(f"{one.node}-{stream}-{number}", chance.randint(1, 40), limit)
            spent = chance.randint(0, min(8, hold.amounts["tokens"]))
            await books.request(one, hold, spent, chance.random() * 0.1)
            await asyncio.sleep(chance.random() * 0.05)

    async def scenario() -> None:
        async with machines(url, folder, 2) as fleet:
            load = [asyncio.create_task(requests(one, stream)) for one in fleet for stream in range(8)]
            for _ in range(times):
                await asyncio.sleep(chance.random())
                await asyncio.to_thread(disaster)
            admitted = books.admitted
            await until(lambda: nearly_spent(), "the budget is spent")
            over.set()
            await asyncio.gather(*load)
            assert books.most <= limit.amount
            assert books.admitted > admitted  # work went on
            await told(fleet, books, limit)

    async def nearly_spent() -> bool:
        return books.refused > 20 and books.used > limit.amount * 0.9

    over = asyncio.Event()
    asyncio.run(scenario())


SEEDS = pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.prove) for seed in range(1, 5))])


@SEEDS
@pytest.mark.parametrize("disaster", [flush, empty, kill, shorten])
def test_nothing_is_overspent_when_redis_forgets(tmp_path: Path, disaster: Disaster, seed: int) -> None:
    with RedisServer(tmp_path / "redis", {"appendfsync": "everysec"}) as server:
        overspends_never(server.url, tmp_path, lambda: disaster(server), seed)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_overspent_when_sentinel_fails_over(tmp_path: Path, seed: int) -> None:
    """With `min-replicas-to-write`, as a start asks for: else the old master goes on admitting for a while."""
    with sentinel_group(tmp_path / "redis") as group:
        for server in (group.master, group.replica):
            server.admin.config_set("min-replicas-to-write", 1)
        overspends_never(group.url, tmp_path, group.failover, seed, times=1)


@SEEDS
def test_nothing_is_overspent_when_the_owner_of_a_slot_dies(tmp_path: Path, seed: int) -> None:
    with cluster(tmp_path / "redis") as joined:
        owner = joined.owner(open_key("acme"))

        def die() -> None:
            owner.kill()
            owner.start()
            joined.until_whole()

        overspends_never(joined.url, tmp_path, die, seed, times=1)
