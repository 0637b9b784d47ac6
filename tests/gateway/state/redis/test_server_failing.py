"""Calls to a real server that is killed, frozen, slow, full, read-only or busy."""

import asyncio
import time
from pathlib import Path

from gateway.state import StateUnavailable
from gateway.state.redis.breaker import OPEN_S
from gateway.state.redis.server import Server
from tests.fakes.proxy import proxied
from tests.fakes.redis import RedisServer, replicated, until
from tests.fakes.redis_groups import cluster
from tests.gateway.state.redis.playing import LONG_S, play, refused


async def answered(server: Server) -> None:
    """Wait until it answers again."""
    deadline = time.monotonic() + LONG_S
    while True:
        try:
            await server.get("a")
            return
        except StateUnavailable:
            assert time.monotonic() < deadline, "it never answered again"
            await asyncio.sleep(0.05)


async def opened(server: Server) -> None:
    """Ask until the breaker refuses without asking."""
    deadline = time.monotonic() + LONG_S
    while "is not asked" not in await refused(server.get("a")):
        assert time.monotonic() < deadline, "the breaker never opened"


def test_a_frozen_server_fails_fast_then_at_once_and_is_found_when_it_is_back(redis: RedisServer) -> None:
    async def scenario(server: Server) -> None:
        await server.set("a", "1")
        redis.pause()
        try:
            assert await refused(server.get("a")) == "Redis cannot answer (TimeoutError)"
            await asyncio.wait_for(opened(server), LONG_S)
        finally:
            redis.resume()
        await answered(server)
        assert await server.get("a") == b"1"

    play(redis.url, scenario, 0.05)


def test_a_server_behind_a_slow_line_fails_and_does_not_hang(redis: RedisServer) -> None:
    async def scenario(server: Server) -> None:
        await server.set("a", "1")
        proxy.slow(0.2)
        begun = time.monotonic()
        assert "TimeoutError" in await refused(server.get("a"))
        await opened(server)
        assert time.monotonic() - begun < LONG_S  # forty calls that wait for their answers would take longer
        proxy.heal()
        await answered(server)

    with proxied(redis.url) as proxy:
        play(proxy.url, scenario, 0.05)


def test_a_dead_server_is_refused_and_found_again(redis: RedisServer) -> None:
    async def scenario(server: Server) -> None:
        await server.set("a", "1")
        redis.kill()
        assert await refused(server.get("a")) == "Redis cannot answer (ConnectionError)"
        await opened(server)
        redis.start()
        await answered(server)

    play(redis.url, scenario)


def test_while_the_breaker_is_open_one_call_a_second_is_made(redis: RedisServer) -> None:
    async def scenario(server: Server) -> None:
        redis.kill()
        await opened(server)
        kinds: list[str] = []
        until_s = time.monotonic() + 2.2 * OPEN_S
        while time.monotonic() < until_s:
            kinds.append(await refused(server.get("a")))
            await asyncio.sleep(0.01)
        assert 1 <= sum("ConnectionError" in kind for kind in kinds) <= 3

    play(redis.url, scenario)


def test_full_memory_refuses_writes_and_reads_go_on(redis: RedisServer) -> None:
    async def scenario(server: Server) -> None:
        script = server.register_script("return redis.call('SET', KEYS[1], ARGV[1])")
        redis.admin.config_set("maxmemory", 1)
        for _ in range(10):  # no reason to stop asking
            assert await refused(server.set("a", "1")) == "Redis cannot answer (OOM)"
            assert await refused(script(keys=["a"], args=["1"])) == "Redis cannot answer (OOM)"
        assert await server.get("a") is None
        redis.admin.config_set("maxmemory", 0)
        await script(keys=["a"], args=["1"])

    play(redis.url, scenario)


def test_a_disk_that_fails_and_replicas_that_are_missing_refuse_writes(redis: RedisServer) -> None:
    async def scenario(server: Server) -> None:
        redis.admin.config_set("min-replicas-to-write", 1)
        assert await refused(server.set("a", "1")) == "Redis cannot answer (NOREPLICAS)"
        redis.admin.config_set("min-replicas-to-write", 0)
        (redis.folder / "folder").mkdir()
        redis.admin.config_set("dbfilename", "folder")
        redis.admin.config_set("save", "900 1")
        redis.admin.set("a", "0")
        redis.admin.bgsave()
        until(lambda: redis.admin.info()["rdb_last_bgsave_status"] == "err", "no snapshot failed")
        assert await refused(server.set("a", "1")) == "Redis cannot answer (MISCONF)"
        assert await server.get("a") == b"0"
        redis.admin.config_set("save", "")

    play(redis.url, scenario)


def test_a_busy_server_is_a_failure(redis: RedisServer) -> None:
    async def scenario(server: Server) -> None:
        redis.admin.config_set("lua-time-limit", 1)
        assert "TimeoutError" in await refused(server.register_script("while true do end")(keys=["a"]))
        try:
            assert await refused(server.get("a")) == "Redis cannot answer (BUSY)"
        finally:
            redis.admin.script_kill()
        await answered(server)

    play(redis.url, scenario, 0.05)


def test_a_replica_is_a_failure_and_its_connections_are_dropped(tmp_path: Path) -> None:
    """As behind one name for both: the connections are kept to what became a replica."""

    async def scenario(server: Server) -> None:
        await server.set("a", "1")
        second.admin.replicaof("127.0.0.1", first.port)
        before = second.admin.info()["total_connections_received"]
        assert await refused(server.set("a", "2")) == "Redis cannot answer (READONLY)"
        await asyncio.sleep(0)
        await server.get("a")
        assert second.admin.info()["total_connections_received"] == before + 2  # one is the admin's
        second.admin.replicaof("NO", "ONE")
        await asyncio.sleep(1.1 * OPEN_S)
        await server.set("a", "3")

    with RedisServer(tmp_path / "first") as first, replicated(tmp_path / "second", first) as second:
        second.admin.replicaof("NO", "ONE")
        play(second.url, scenario)


def test_a_cluster_that_lost_slots_says_so(tmp_path: Path) -> None:
    """A cluster as it is shipped serves nothing without all of its slots."""

    async def scenario(server: Server) -> None:
        await server.set("a", "1")
        next(node for node in joined.nodes if node is not joined.owner("a")).kill()
        for _ in range(300):
            try:
                await server.get("a")
            except StateUnavailable as error:
                if str(error) == "Redis cannot answer (CLUSTERDOWN)":
                    return
            await asyncio.sleep(0.1)
        raise AssertionError("the cluster never said that it is down")

    with cluster(tmp_path, options={"cluster-require-full-coverage": "yes"}) as joined:
        play(joined.url, scenario, 0.1)
