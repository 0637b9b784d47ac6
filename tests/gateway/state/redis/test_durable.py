"""What a server must be before budgets are trusted to it."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from gateway.state import StateUnavailable
from gateway.state.redis.durable import SKEW_S, check_durable, check_usable
from gateway.state.redis.server import Server
from tests.fakes.redis import RedisServer, replicated
from tests.fakes.redis_groups import cluster

CALL_S = 2.0


def check(url: str, ahead_s: float = 0.0) -> None:
    async def run() -> None:
        server = Server(url, CALL_S)
        try:
            await check_usable(server, lambda: time.time() + ahead_s)
            await check_durable(server)
        finally:
            await server.aclose()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("appendonly", "no", "Set `appendonly yes`"),
        ("maxmemory-policy", "allkeys-lru", "`maxmemory-policy allkeys-lru`.*Set `maxmemory-policy noeviction`"),
        ("maxmemory-policy", "volatile-ttl", "Set `maxmemory-policy noeviction`"),
    ],
)
def test_a_server_that_would_forget_is_refused(redis: RedisServer, name: str, value: str, message: str) -> None:
    check(redis.url)
    redis.admin.config_set(name, value)
    with pytest.raises(StateUnavailable, match=message):
        check(redis.url)


def test_a_server_that_does_not_tell_is_refused(redis: RedisServer) -> None:
    redis.admin.acl_setuser(
        "guest", enabled=True, passwords=["+word"], keys=["*"], categories=["+@all"], commands=["-config"]
    )
    with pytest.raises(StateUnavailable, match=r"CONFIG is refused.*add `\?durable=no`"):
        check(redis.url.replace("redis://", "redis://guest:word@"))


def test_a_server_that_does_not_answer_is_not_called_undurable(redis: RedisServer) -> None:
    redis.kill()
    with pytest.raises(StateUnavailable, match="ConnectionError"):
        check(redis.url)


def test_a_replica_is_refused(redis: RedisServer, tmp_path: Path) -> None:
    with replicated(tmp_path / "replica", redis) as replica, pytest.raises(StateUnavailable, match="is a replica"):
        check(replica.url)


@pytest.mark.parametrize("ahead_s", [-2 * SKEW_S, 2 * SKEW_S])
def test_a_server_of_another_time_is_refused(redis: RedisServer, ahead_s: float) -> None:
    check(redis.url, SKEW_S / 3)
    with pytest.raises(StateUnavailable, match=re.escape(f"clock of Redis is {-ahead_s:+.0f} s from")):
        check(redis.url, ahead_s)


def test_every_master_of_a_cluster_is_asked(tmp_path: Path) -> None:
    with cluster(tmp_path, count=2) as joined:
        check(joined.url)
        for node in joined.nodes:
            node.admin.config_set("maxmemory-policy", "allkeys-lru")
            with pytest.raises(StateUnavailable, match="maxmemory-policy"):
                check(joined.url)
            node.admin.config_set("maxmemory-policy", "noeviction")


def test_replicas_that_no_write_waits_for_are_warned_of(
    redis: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check(redis.url)
    with replicated(tmp_path / "replica", redis):
        redis.admin.config_set("min-replicas-to-write", 1)
        check(redis.url)
        assert caplog.messages == []
        redis.admin.config_set("min-replicas-to-write", 0)
        check(redis.url)
    (message,) = caplog.messages
    assert "Set `min-replicas-to-write 1`" in message
