"""Holds that nobody is left to end: of a killed process, of a machine that is gone, of a call that came too late."""

import asyncio
from pathlib import Path

import pytest

from gateway.state import RECOVERED, StateUnavailable
from gateway.state.owners import alive
from tests.fakes.redis import RedisServer
from tests.gateway.state.redis.machine import Machine, Process, machine, process, until

DEAD_S = 1.0  # long enough to see two beats of a living one


async def recovers(one: Machine, request_id: str) -> bool:
    return request_id in await one.budgets.recover(alive)


def test_a_machine_that_died_for_good_is_settled_by_another_at_its_checkpoint(
    server: RedisServer, tmp_path: Path
) -> None:
    async def scenario(dying: Process) -> None:
        async with machine(server.url, tmp_path / "b.db", dead_s=DEAD_S) as other:
            assert await other.standing() == [(0, 10)]
            for _ in range(3):
                await asyncio.sleep(DEAD_S / 2)
                assert await other.budgets.recover(alive) == []  # it lives, and beats
            dying.kill()
            await until(lambda: recovers(other, "mid-stream"), "the other settles it")
            assert await other.standing() == [(4, 0)]
            assert await other.budgets.open_holds() == []
            (row,) = other.pushed
            assert (
                row.items() >= {"request_id": "mid-stream", "model": "small", "output_tokens": 4, **RECOVERED}.items()
            )
            async with machine(server.url, tmp_path / "a.db") as returned:
                assert await returned.budgets.recover(alive) == ["mid-stream"]
                assert await returned.standing() == await other.standing() == [(4, 0)]

    with process("hold", server.url, str(tmp_path / "a.db")) as dying:
        assert dying.said() == "held"
        asyncio.run(scenario(dying))


def test_a_machine_that_only_seemed_dead_holds_again_what_it_holds(server: RedisServer, tmp_path: Path) -> None:
    async def scenario(frozen: Process) -> None:
        async with machine(server.url, tmp_path / "b.db", dead_s=DEAD_S) as other:
            frozen.freeze()
            await until(lambda: recovers(other, "mid-stream"), "the other settles it")
            assert await other.standing() == [(4, 0)]
            frozen.resume()
            frozen.tell()
            assert await asyncio.to_thread(frozen.said) == "held again"
            assert await other.standing() == [(4, 10 + 1)]
            async with machine(server.url, tmp_path / "a.db") as beside:  # a second process of that machine
                await beside.budgets.settle("mid-stream", {"tokens": 7})
                assert await beside.standing() == await other.standing() == [(7, 1)]

    with process("hold", server.url, str(tmp_path / "a.db")) as frozen:
        assert frozen.said() == "held"
        asyncio.run(scenario(frozen))


def test_a_killed_process_is_settled_by_its_machine_at_once(server: RedisServer, tmp_path: Path) -> None:
    async def scenario(dying: Process) -> None:
        async with machine(server.url, tmp_path / "a.db") as beside:
            assert await beside.budgets.recover(alive) == []
            dying.kill()
            assert await beside.budgets.recover(alive) == ["mid-stream"]
            assert await beside.standing() == await beside.spent() == [(4, 0)]

    with process("hold", server.url, str(tmp_path / "a.db")) as dying:
        assert dying.said() == "held"
        asyncio.run(scenario(dying))


def test_what_a_process_settled_and_never_told_is_told_by_its_machine(server: RedisServer, tmp_path: Path) -> None:
    """It died between its file and Redis."""

    async def scenario() -> None:
        async with machine(server.url, tmp_path / "b.db") as other:
            async with machine(server.url, tmp_path / "a.db") as dying:
                await dying.budgets.hold(dying.asked("r", 10))
                await dying.local.settle("r", {"tokens": 7})
                assert await other.standing() == [(0, 10)]
            async with machine(server.url, tmp_path / "a.db") as beside:
                await beside.budgets.recover(alive)
                assert await other.standing() == [(7, 0)]
                assert await beside.budgets.open_holds() == []

    asyncio.run(scenario())


def test_what_a_process_held_in_redis_and_never_wrote_down_is_released(server: RedisServer, tmp_path: Path) -> None:
    async def scenario(dying: Process) -> None:
        async with machine(server.url, tmp_path / "a.db") as beside:
            await until(dying.frozen, "the process freezes")
            assert await beside.standing() == [(0, 10)]
            assert await beside.budgets.recover(alive) == []
            assert await beside.standing() == [(0, 10)]  # it lives: it may go on
            dying.kill()
            await beside.budgets.recover(alive)
            assert await beside.standing() == [(0, 0)]

    with process("stall", server.url, str(tmp_path / "a.db")) as dying:
        assert dying.said() == "asking"
        asyncio.run(scenario(dying))


def test_a_hold_that_redis_makes_after_its_caller_gave_up_is_released(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machine(server.url, tmp_path / "a.db") as one:
            await one.budgets.hold(one.asked("first"))
            server.pause()
            with pytest.raises(StateUnavailable):
                await one.budgets.hold(one.asked("late", 10))
            await one.budgets.settle("late", {})
            await one.budgets.settle("first", {"tokens": 1})
            server.resume()
            await until(lambda: clean(one), "nothing is held")
            assert await one.standing() == [(1, 0)]

    async def clean(one: Machine) -> bool:
        await one.budgets.recover(alive)
        return await one.budgets.open_holds() == []

    asyncio.run(scenario())
