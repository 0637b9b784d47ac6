import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.state.background import every, stopped
from gateway.state.redis.counts import Member
from gateway.state.redis.fleet import BEAT_S, Fleet
from gateway.state.redis.server import Server
from gateway.state.sqlite.database import Database
from tests.fakes.redis import RedisServer
from tests.gateway.state.redis.machine import CALL_S


@asynccontextmanager
async def living(url: str, path: Path, name: str) -> AsyncIterator[Fleet]:
    """A process that beats, and leaves in order."""
    client, database = Server(url, CALL_S), await Database.open(str(path / f"{name}.db"))
    fleet = Fleet(client, database, Member(name, f"process of {name}"))
    await fleet.start()
    beating = [asyncio.create_task(every(BEAT_S, fleet.beat))]
    try:
        yield fleet
    finally:
        await stopped(beating)
        await fleet.stop()
        await client.aclose()
        await database.close()


def test_who_has_started_is_waited_for_by_all_until_it_leaves(tmp_path: Path) -> None:
    async def scenario(server: RedisServer) -> None:
        async with living(server.url, tmp_path, "a") as one:
            for _ in range(5):  # at any moment between two beats
                async with living(server.url, tmp_path, "b") as other:
                    assert one.expected(time.monotonic()) == ["process of b"]
                    assert other.expected(time.monotonic()) == ["process of a"]
                await one.beat()
                assert one.expected(time.monotonic()) == []
                await asyncio.sleep(BEAT_S / 4)

    with RedisServer(tmp_path / "redis") as server:
        asyncio.run(scenario(server))
