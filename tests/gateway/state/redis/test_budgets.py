"""Holds and settlements of several machines on one Redis: what the contract suite, which has one, cannot show."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.state import Hold, Limit, StateUnavailable
from gateway.state.counters import Counter as Window
from gateway.state.counters import Meter
from gateway.state.redis.counts import epoch_keys, meter_key
from gateway.state.sqlite.budgets import SqliteBudgets
from gateway.state.windows import span
from tests.fakes.redis import RedisServer
from tests.gateway.state.redis.machine import TOKENS, Machine, machine, machines, process, until


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


def test_a_tenant_that_was_opened_waits_for_nobody_at_its_first_hold(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machine(server.url, tmp_path / "a.db") as one, machine(server.url, tmp_path / "b.db") as two:
            await one.budgets.open("acme")
            epoch, joined = epoch_keys("acme")
            run = server.admin.get(epoch)
            assert run is not None
            assert server.admin.hvals(joined) == [run, run]
            assert await two.admitted(two.asked("r"))

    asyncio.run(scenario())


def test_a_limit_that_is_not_asked_for_begins_no_window(server: RedisServer, tmp_path: Path) -> None:
    """Or after a step of the clock back what is asked then would count in a window to come."""
    minutes = Limit("requests", "minute", 9), Limit("tokens", "minute", 9)

    async def scenario() -> None:
        async with machine(server.url, tmp_path / "a.db") as one:
            await one.budgets.hold(replace(one.asked("r", 1, *minutes), amounts={"requests": 1}))
            begun = {
                unit: server.admin.hget(meter_key("acme", Meter("tenant", "acme", unit, "minute")), "latest")
                for unit in ("requests", "tokens")
            }
            assert begun["requests"] is not None
            assert begun["tokens"] is None

    asyncio.run(scenario())


def test_a_hold_is_on_file_when_it_returns(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machine(server.url, tmp_path / "m.db") as one:
            await one.budgets.hold(one.asked("r", 10))
            (held,) = await one.local.pending("acme")
            assert (held.request_id, dict(held.amounts)) == ("r", {"tokens": 10, "requests": 1})
            assert [counter.unit for counter in held.counters] == ["tokens"]

    asyncio.run(scenario())


def at_random(one: Machine, chance: random.Random, number: int, limit: Limit) -> Hold:
    """A hold a moment before or after this machine's next midnight."""
    midnight = span("day", one.clock.now())[1]
    return replace(one.asked(f"r{number}", 1, limit), at=midnight + chance.choice((-0.5, 0.5)))


@pytest.mark.parametrize(
    ("count", "amount", "seed"),
    [(1_000, 50, 0), *(pytest.param(10_000, 500, seed, marks=pytest.mark.prove) for seed in range(5))],
)
def test_machines_share_a_budget_exactly_across_midnight(
    server: RedisServer, tmp_path: Path, count: int, amount: int, seed: int
) -> None:
    """Each day gets what it may; once one hold fell into the new day, no clock that is behind opens the old one."""
    chance, limit = random.Random(seed), Limit("tokens", "day", amount)

    async def scenario() -> None:
        async with machines(server.url, tmp_path, 4) as fleet:
            holds = [(one, at_random(one, chance, n, limit)) for n in range(count) for one in [fleet[n % 4]]]
            admitted = sum(await asyncio.gather(*(one.admitted(hold) for one, hold in holds)))
            days = Counter[int]()
            for one in fleet:
                for held in await one.local.pending():
                    days[held.counters[0].start] += held.amounts["tokens"]
            assert days[max(days)] == amount
            assert all(held <= amount for held in days.values())
            assert sum(days.values()) == admitted
            assert [await one.standing(limit) for one in fleet] == [[(0, amount)]] * 4

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "count", [250, *(pytest.param(2_500, marks=pytest.mark.prove, id=f"2500-{turn}") for turn in range(5))]
)
def test_processes_share_a_budget_exactly(server: RedisServer, tmp_path: Path, count: int) -> None:
    """Four machines that are processes; each asks so often for one of 500."""
    with ExitStack() as stack:
        racers = [
            stack.enter_context(process("race", server.url, str(tmp_path / f"{name}.db"), name, str(count)))
            for name in "abcd"
        ]
        assert [racer.said() for racer in racers] == ["ready"] * 4
        for racer in racers:
            racer.tell()
        assert sum(int(racer.said()) for racer in racers) == 500


def test_a_file_that_cannot_be_written_admits_nothing_and_holds_nothing(server: RedisServer, tmp_path: Path) -> None:
    class Full(SqliteBudgets):
        """Every page of the disk is taken."""

        async def record(self, hold: Hold, counters: Sequence[Window]) -> None:
            await self._database.write(lambda db: db.execute("PRAGMA max_page_count = 1"))
            await super().record(replace(hold, draft={"detail": "x" * 100_000}), counters)

    async def scenario() -> None:
        async with machine(server.url, tmp_path / "a.db", kind=Full) as one:
            with pytest.raises(StateUnavailable, match="SQLITE_FULL"):
                await one.budgets.hold(one.asked("r", 10))
            assert await one.standing() == [(0, 0)]
            assert await one.budgets.open_holds() == []

    asyncio.run(scenario())


@pytest.mark.parametrize("trouble", [{"maxmemory": 1}, {"min-replicas-to-write": 1}], ids=["full", "no replicas"])
def test_a_redis_that_takes_no_writes_admits_nothing_and_loses_nothing(
    server: RedisServer, tmp_path: Path, trouble: dict[str, int]
) -> None:
    async def scenario() -> None:
        async with machines(server.url, tmp_path, 2) as (one, other):
            await one.budgets.hold(one.asked("before", 10))
            switch(server, trouble)
            with pytest.raises(StateUnavailable):
                await one.budgets.hold(one.asked("meanwhile", 10))
            await one.budgets.settle("meanwhile", {})
            await one.budgets.settle("before", {"tokens": 3})
            switch(server, dict.fromkeys(trouble, 0))
            await until(lambda: settled(other), "3 tokens used, none held")

    async def settled(other: Machine) -> bool:
        return await other.standing() == [(3, 0)]

    asyncio.run(scenario())


def test_an_orderly_end_tells_what_redis_missed(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machine(server.url, tmp_path / "b.db") as other:
            async with machine(server.url, tmp_path / "a.db") as one:
                await one.budgets.hold(one.asked("r", 10))
                switch(server, {"min-replicas-to-write": 1})
                assert await one.budgets.settle("r", {"tokens": 7}) == []
                switch(server, {"min-replicas-to-write": 0})
            assert await other.standing() == [(7, 0)]

    asyncio.run(scenario())


def test_a_redis_that_became_a_replica_admits_nothing(server: RedisServer, tmp_path: Path) -> None:
    """Its data go with it: what it was told before comes from the files."""

    async def scenario(elsewhere: RedisServer) -> None:
        async with machines(server.url, tmp_path, 2) as (one, other):
            await one.budgets.hold(one.asked("before", 10))
            server.admin.replicaof("127.0.0.1", elsewhere.port)
            with pytest.raises(StateUnavailable):
                await other.budgets.hold(other.asked("meanwhile", 1))
            await until(lambda: follows(), "it follows")
            server.admin.replicaof("NO", "ONE")
            await until(lambda: refuses(other), "the other refuses 41")

    async def follows() -> bool:
        return bool(server.admin.info()["master_link_status"] == "up")

    async def refuses(other: Machine) -> bool:
        return not await other.admitted(other.asked("too much", 41)) and await other.standing() == [(0, 10)]

    with RedisServer(tmp_path / "elsewhere") as elsewhere:
        asyncio.run(scenario(elsewhere))


def switch(server: RedisServer, settings: dict[str, int]) -> None:
    for name, value in settings.items():
        server.admin.config_set(name, value)
