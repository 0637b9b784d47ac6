"""Redis loses its counters: they are rebuilt from all files before anything is admitted.

While requests come and go: `test_rebuild_under_load.py`.
"""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.state import Hold, OverLimit
from gateway.state.counters import Counter
from gateway.state.redis.counts import epoch_keys
from gateway.state.sqlite.budgets import SqliteBudgets
from tests.fakes.redis import RedisServer
from tests.gateway.state.redis.books import Books, told
from tests.gateway.state.redis.disasters import Disaster, empty, flush, kill
from tests.gateway.state.redis.machine import Machine, Process, machine, machines, process, until


async def spend(one: Machine, tokens: int) -> None:
    hold = one.asked(f"{one.node} spends {tokens}", tokens)
    await one.budgets.hold(hold)
    await one.budgets.settle(hold.request_id, {"tokens": tokens, "requests": 1})


async def refused(one: Machine, tokens: int) -> None:
    with pytest.raises(OverLimit):
        await one.budgets.hold(one.asked(f"{one.node} asks {tokens}", tokens))


@pytest.mark.parametrize("disaster", [flush, empty, kill])
def test_what_all_machines_spent_and_hold_is_told_before_anything_is_admitted(
    server: RedisServer, tmp_path: Path, disaster: Disaster
) -> None:
    async def scenario() -> None:
        async with machines(server.url, tmp_path, 3) as fleet:
            first, second, third = fleet
            await spend(first, 20)
            await spend(second, 10)
            await third.budgets.hold(third.asked("open", 15))
            await asyncio.to_thread(disaster, server)
            await until(lambda: refusing(first), "the first machine refuses")
            await second.budgets.hold(second.asked("the rest", 5))
            await third.budgets.settle("open", {"tokens": 1})
            await second.budgets.settle("the rest", {"tokens": 1})
            assert [await one.standing() for one in fleet] == [[(32, 0)]] * 3

    async def refusing(one: Machine) -> bool:
        await refused(one, 6)
        return True

    asyncio.run(scenario())


def test_a_machine_that_was_away_tells_its_file_before_its_first_hold(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machine(server.url, tmp_path / "a.db") as first:
            async with machine(server.url, tmp_path / "b.db") as second:
                await spend(second, 30)
            server.admin.flushall()
            assert await first.standing() == [(0, 0)]  # it left in order: nobody waits for it
            async with machine(server.url, tmp_path / "b.db") as second:
                await refused(second, 21)
                await refused(first, 21)

    asyncio.run(scenario())


def test_a_process_that_is_new_finds_what_redis_kept(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        for number in range(3):
            async with machine(server.url, tmp_path / f"{number}.db") as one:
                await spend(one, 10)
                assert await one.standing() == [(10 * (number + 1), 0)]

    asyncio.run(scenario())


def test_the_files_say_again_which_window_is_the_newest(server: RedisServer, tmp_path: Path) -> None:
    """One clock is a day ahead. What it opened stays the newest window, also when Redis has forgotten it."""

    async def scenario() -> None:
        async with (
            machine(server.url, tmp_path / "a.db", ahead_s=86_400) as ahead,
            machine(server.url, tmp_path / "b.db") as behind,
        ):
            await spend(ahead, 40)
            await refused(behind, 11)
            server.admin.flushall()
            await refused(behind, 11)
            await spend(behind, 10)
            assert await ahead.standing() == await behind.standing() == [(50, 0)]

    asyncio.run(scenario())


def test_a_loss_that_comes_before_the_rebuilding_is_done_starts_it_again(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machines(server.url, tmp_path, 2) as fleet:
            await asyncio.gather(*(spend(one, 20) for one in fleet))
            for _ in range(20):
                server.admin.flushall()
                asking = [asyncio.create_task(one.admitted(one.asked("x", 11))) for one in fleet]
                await asyncio.sleep(random.random() * 0.02)
                server.admin.flushall()
                assert await asyncio.gather(*asking) == [False, False]
            await told(fleet, used(40))

    asyncio.run(scenario())


def used(tokens: int) -> Books:
    books = Books()
    books.used = tokens
    return books


def test_the_others_wait_for_a_hold_that_is_being_written_down(server: RedisServer, tmp_path: Path) -> None:
    """Redis had admitted it when it forgot; its file has it a moment later."""

    class Slow(SqliteBudgets):
        async def record(self, hold: Hold, counters: Sequence[Counter]) -> None:
            writing.set()
            await written.wait()
            await super().record(hold, counters)

    async def scenario() -> None:
        async with (
            machine(server.url, tmp_path / "a.db", kind=Slow) as one,
            machine(server.url, tmp_path / "b.db") as other,
        ):
            holding = asyncio.create_task(one.budgets.hold(one.asked("slow", 10)))
            await writing.wait()
            server.admin.flushall()
            asking = asyncio.create_task(other.admitted(other.asked("all", 50)))
            await until(begun, "the rebuilding begins")
            await asyncio.sleep(0.5)  # the time that a rebuilding without it would need
            assert not asking.done()
            written.set()
            assert await holding
            assert not await asking
            assert await other.standing() == [(0, 10)]

    async def begun() -> bool:
        return bool(server.admin.hlen(epoch_keys("acme")[1]))

    writing, written = asyncio.Event(), asyncio.Event()
    asyncio.run(scenario())


def test_a_process_frozen_between_redis_and_its_file_does_not_send_what_others_did_not_wait_for(
    server: RedisServer, tmp_path: Path
) -> None:
    """It has Redis's word for 10 tokens; Redis forgets; the others wait for it in vain, then spend everything."""

    async def scenario(running: Process) -> None:
        async with machine(server.url, tmp_path / "b.db") as other:
            await until(running.frozen, "the process freezes")
            server.admin.flushall()
            await until(lambda: other.admitted(other.asked("all", 50)), "the other is admitted")
            running.resume()
            assert await asyncio.to_thread(running.said) == "unknown"
            assert await other.standing() == [(0, 50)]

    with process("stall", server.url, str(tmp_path / "a.db")) as running:
        assert running.said() == "asking"
        asyncio.run(scenario(running))
