"""Claims in Redis beyond the contract: races, and what stays."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.state import REPLAY_S, Replay
from gateway.state.redis.replays import RedisReplays
from gateway.state.redis.server import Server
from tests.fakes.redis import RedisServer

CLAIM = Replay("acme", "key", b"\x00\xff", "r1", "dead", 1_000.0)
DONE = replace(CLAIM, status=200, content_type="application/json", body=b"\x00{}")


def play(folder: Path, scenario: Callable[[RedisServer, RedisReplays], Awaitable[None]]) -> None:
    async def run() -> None:
        server = Server(redis.url, 2.0)
        try:
            await scenario(redis, RedisReplays(server))
        finally:
            await server.aclose()

    with RedisServer(folder) as redis:
        asyncio.run(run())


def alive(owner: str) -> bool:
    return owner != "dead"


def test_of_many_that_take_a_dead_owners_place_one_does(tmp_path: Path) -> None:
    async def scenario(_: RedisServer, replays: RedisReplays) -> None:
        assert await replays.begin(CLAIM, alive) is None
        others = [replace(CLAIM, request_id=f"o{number}", owner="lives") for number in range(30)]
        found = await asyncio.gather(*(replays.begin(other, alive) for other in others))
        winners = [other for other, there in zip(others, found, strict=True) if there is None]
        assert len(winners) == 1
        assert {there for there in found if there} == {winners[0]}

    play(tmp_path, scenario)


def test_an_old_answer_is_replaced_by_the_callers_time(tmp_path: Path) -> None:
    async def scenario(_: RedisServer, replays: RedisReplays) -> None:
        await replays.begin(CLAIM, alive)
        await replays.finish(DONE)
        late = replace(CLAIM, request_id="r2", at=CLAIM.at + REPLAY_S - 1)
        assert await replays.begin(late, alive) == DONE
        assert await replays.begin(replace(late, at=CLAIM.at + REPLAY_S), alive) is None

    play(tmp_path, scenario)


@pytest.mark.parametrize("done", [False, True])
def test_nothing_stays_for_ever(tmp_path: Path, done: bool) -> None:
    async def scenario(redis: RedisServer, replays: RedisReplays) -> None:
        await replays.begin(CLAIM, alive)
        if done:
            await replays.finish(DONE)
        (name,) = redis.admin.keys()
        assert name.startswith("tollgate:{acme}:")
        assert 0 < redis.admin.ttl(name) <= REPLAY_S

    play(tmp_path, scenario)


def test_a_late_owner_neither_stores_nor_frees_what_is_another_s(tmp_path: Path) -> None:
    async def scenario(_: RedisServer, replays: RedisReplays) -> None:
        mine = replace(CLAIM, request_id="r2", owner="lives")
        await replays.begin(CLAIM, alive)
        await replays.begin(mine, alive)
        await replays.finish(DONE)
        await replays.abandon(CLAIM)
        assert await replays.begin(replace(CLAIM, request_id="r3"), alive) == mine
        await replays.abandon(mine)
        assert await replays.begin(replace(CLAIM, request_id="r3"), alive) is None

    play(tmp_path, scenario)
