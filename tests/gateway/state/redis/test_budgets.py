"""Holds and settlements of several machines on one Redis: what the contract suite, which has one, cannot show."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.state import Limit
from tests.fakes.redis import RedisServer
from tests.gateway.state.redis.machine import TOKENS, Machine, machine, machines


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), {"appendfsync": "everysec"}) as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    """Empty, and with the settings that it started with."""
    running.admin.flushall()
    return running


async def race(fleet: list[Machine], count: int, *limits: Limit) -> int:
    """How many of `count` holds of one token each are admitted, asked by all machines at once."""
    asked = [
        (one, one.asked(f"r{number}", 1, *limits)) for number in range(count) for one in [fleet[number % len(fleet)]]
    ]
    return sum(await asyncio.gather(*(one.admitted(hold) for one, hold in asked)))


def test_machines_share_a_budget_exactly(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machines(server.url, tmp_path, 4) as fleet:
            assert await race(fleet, 1_000) == TOKENS.amount
            assert [await one.standing() for one in fleet] == [[(0, 50)]] * 4
            files = [await one.spent() for one in fleet]
            assert sum(held for ((_, held),) in files) == TOKENS.amount
            assert len(await fleet[0].budgets.open_holds()) == TOKENS.amount

    asyncio.run(scenario())


def test_what_machines_settle_adds_up(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machines(server.url, tmp_path, 3) as fleet:
            for number, one in enumerate(fleet):
                await one.budgets.hold(one.asked(f"r{number}", 10))
                (balance,) = await one.budgets.settle(f"r{number}", {"tokens": number + 1})
            assert (balance.used, balance.held) == (1 + 2 + 3, 0)
            assert [await one.spent() for one in fleet] == [[(1, 0)], [(2, 0)], [(3, 0)]]

    asyncio.run(scenario())


def test_a_hold_is_on_file_when_it_returns(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machine(server.url, tmp_path / "m.db") as one:
            await one.budgets.hold(one.asked("r", 10))
            (held,) = await one.local.pending("acme")
            assert (held.request_id, dict(held.amounts)) == ("r", {"tokens": 10, "requests": 1})
            assert [counter.unit for counter in held.counters] == ["tokens"]

    asyncio.run(scenario())
