"""The directory over several machines: what one does another sees, and what Redis loses the machines bring back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.state import Clock, Key, Limit, StateUnavailable, Tenant
from gateway.state.open import open_state
from gateway.state.recent import FRESH_S, RecentKeys
from gateway.state.redis import REFRESH_S
from gateway.state.redis.directory import PIECE, Directory
from gateway.state.redis.keys import RedisKeys
from gateway.state.redis.mirror import Mirror
from gateway.state.redis.server import Server
from gateway.state.sqlite.database import Database
from gateway.state.sqlite.keys import SqliteKeys
from tests.fakes.redis import RedisServer
from tests.gateway.state.redis.machine import once_back

CALL_S = 2.0
ACME = Tenant("acme", (Limit("tokens", "day", 50),), 1.5, "Europe/Berlin")
KEY = Key("k1", "acme", bytes(range(32)), (Limit("requests", "minute", 60),), 2.5, label="first")
OTHER = (Limit("tokens", "day", 7),)


@dataclass
class Machine:
    """One gateway's keys and its copy of the directory."""

    keys: RedisKeys
    copy: SqliteKeys
    server: Server
    opened: list[str]


@asynccontextmanager
async def machine(url: str, file: Path) -> AsyncIterator[Machine]:
    server, database = Server(url, CALL_S), await Database.open(str(file))
    copy, opened = SqliteKeys(database, clock := Clock()), list[str]()

    async def open_slowly(tenant: str) -> None:
        opened.append(tenant)
        raise StateUnavailable("its counters are not whole yet")

    try:
        keys = RedisKeys(Directory(server, Mirror(database, copy)), copy, clock, open_slowly)
        yield Machine(keys, copy, server, opened)
    finally:
        await database.close()
        await server.aclose()


def play(folder: Path, scenario: Callable[..., Awaitable[None]], count: int = 2) -> None:
    """The scenario with a server and that many machines."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            machines = [
                await stack.enter_async_context(machine(redis.url, folder / f"{number}.db")) for number in range(count)
            ]
            await scenario(redis, *machines)

    with RedisServer(folder / "redis") as redis:
        asyncio.run(run())


def test_what_one_machine_does_another_has(tmp_path: Path) -> None:
    async def scenario(_: RedisServer, one: Machine, two: Machine) -> None:
        assert await one.keys.add_tenant(ACME, "admin")
        assert not await two.keys.add_tenant(replace(ACME, limits=()))
        assert (one.opened, two.opened) == (["acme"], [])
        await two.keys.add_key(KEY, "cli:ann")
        assert await one.keys.find("k1") == (KEY, ACME)  # asked of Redis: not copied yet
        with pytest.raises(ValueError, match="taken"):
            await one.keys.add_key(KEY)
        assert await one.keys.set_limits("acme", OTHER, "admin")
        assert await two.keys.expire("k1", 99.5)
        assert await one.keys.revoke("k1", 5.5)
        assert await two.keys.revoke("k1", 4.5)
        for each in (one, two):
            assert await each.keys.tenants() == [replace(ACME, limits=OTHER)]
            assert await each.keys.keys("acme") == [replace(KEY, expires=99.5, revoked=5.5)]
            actions = [(change.action, change.by) for change in await each.keys.changes(10)]
            expected = ["key.revoke", "key.expire", "tenant.limits", "key.create", "tenant.create"]
            assert actions == list(zip(expected, ["", "", "admin", "cli:ann", "admin"], strict=True))
        assert await one.keys.changes(9, "k1") == await two.keys.changes(9, "k1")

    play(tmp_path, scenario)


def test_keys_are_found_while_redis_is_away_and_nothing_is_changed(tmp_path: Path) -> None:
    async def scenario(redis: RedisServer, one: Machine) -> None:
        await one.keys.add_tenant(ACME)
        await one.keys.add_key(KEY)
        redis.kill()
        assert await one.keys.find("k1") == (KEY, ACME)
        assert await one.keys.tenants() == [ACME]
        with pytest.raises(StateUnavailable):
            await one.keys.find("k2")  # nobody knows: not "no such key"
        with pytest.raises(StateUnavailable):
            await one.keys.revoke("k1", 5.0)
        assert await one.copy.find("k1") == (KEY, ACME)

    play(tmp_path, scenario, 1)


@pytest.mark.parametrize("loss", ["flushed", "empty"])
def test_a_lost_directory_comes_back_from_the_machines(tmp_path: Path, loss: str) -> None:
    async def scenario(redis: RedisServer, one: Machine, two: Machine) -> None:
        await one.keys.add_tenant(ACME)
        await one.keys.add_key(KEY)
        await two.keys.refresh()
        await one.keys.set_limits("acme", OTHER)
        await one.keys.revoke("k1", 5.0)
        await one.keys.add_key(replace(KEY, id="k2"))  # the second machine has seen none of these three
        if loss == "flushed":
            redis.admin.flushall()
        else:
            redis.restart(empty=True)
        await once_back(two.keys.refresh)  # which brings what is old
        await once_back(one.keys.refresh)
        await two.keys.refresh()
        for each in (one, two):
            assert await each.copy.tenants() == [replace(ACME, limits=OTHER)]
            assert await each.copy.keys("acme") == [replace(KEY, revoked=5.0), replace(KEY, id="k2")]
            assert len(await each.copy.changes(100)) == 5

    play(tmp_path, scenario)


def test_what_a_restart_lost_at_the_end_comes_back(tmp_path: Path) -> None:
    """The same directory, a few changes behind, and then changed as often again: versions alone would not tell."""

    async def scenario(redis: RedisServer, one: Machine, two: Machine) -> None:
        redis.admin.config_set("appendonly", "no")  # from here on the files say nothing
        redis.admin.config_rewrite()
        await one.keys.add_tenant(ACME)
        await one.keys.add_key(KEY)
        await two.keys.refresh()
        redis.admin.save()
        await one.keys.revoke("k1", 5.0)
        redis.kill()
        redis.start()
        await once_back(lambda: two.keys.add_key(replace(KEY, id="k2")))
        await two.keys.add_key(replace(KEY, id="k3"))
        await once_back(one.keys.refresh)
        await two.keys.refresh()
        for each in (one, two):
            assert [(key.id, key.revoked) for key in await each.copy.keys("acme")] == [
                ("k1", 5.0), ("k2", None), ("k3", None),
            ]  # fmt: skip

    play(tmp_path, scenario)


def test_a_change_right_after_a_loss_is_made_on_what_was_there(tmp_path: Path) -> None:
    async def scenario(redis: RedisServer, one: Machine) -> None:
        await one.keys.add_tenant(ACME)
        await one.keys.add_key(KEY)
        redis.admin.flushall()
        assert not await one.keys.add_tenant(replace(ACME, limits=()))
        redis.admin.flushall()
        assert await one.keys.revoke("k1", 5.0)
        assert await one.keys.find("k1") == (replace(KEY, revoked=5.0), ACME)

    play(tmp_path, scenario, 1)


def test_changes_of_one_record_at_once_all_take_effect(tmp_path: Path) -> None:
    async def scenario(_: RedisServer, one: Machine, two: Machine) -> None:
        assert sum(await asyncio.gather(*(each.keys.add_tenant(ACME) for each in (one, two) * 4))) == 1
        await one.keys.add_key(KEY)
        await asyncio.gather(one.keys.expire("k1", 50.0), two.keys.expire("k1", 40.0), one.keys.revoke("k1", 45.0))
        await two.keys.refresh()
        assert await two.copy.find("k1") == (replace(KEY, expires=40.0, revoked=45.0), ACME)

    play(tmp_path, scenario)


def test_more_records_than_one_round_trip_takes(tmp_path: Path) -> None:
    async def scenario(redis: RedisServer, one: Machine, two: Machine) -> None:
        await one.keys.add_tenant(ACME)
        count = PIECE + 7
        await asyncio.gather(*(one.copy.add_key(replace(KEY, id=f"k{number:03}")) for number in range(count)))
        redis.admin.flushall()
        await one.keys.refresh()
        await two.keys.refresh()
        assert len(await two.copy.keys("acme")) == count
        assert await two.copy.changes(10_000) != []

    play(tmp_path, scenario)


def test_a_key_revoked_on_one_gateway_is_refused_by_another_within_a_second(tmp_path: Path) -> None:
    assert REFRESH_S + FRESH_S < 1.0

    async def scenario(redis: RedisServer) -> None:
        url = redis.url + "?timeout_ms=2000"
        one = await open_state(url, f"sqlite:///{tmp_path}/one.db")
        two = await open_state(url, f"sqlite:///{tmp_path}/two.db")
        try:
            recent = RecentKeys(two.keys)
            await one.keys.add_tenant(ACME)
            await one.keys.add_key(KEY)
            assert await recent.find("k1") == (KEY, ACME)
            await one.keys.revoke("k1", 5.0)
            for _ in range(3_000):
                if (await recent.find("k1")) != (KEY, ACME):
                    break
                await asyncio.sleep(0.01)
            assert await recent.find("k1") == (replace(KEY, revoked=5.0), ACME)
        finally:
            await two.close()
            await one.close()

    play(tmp_path, scenario, 0)
