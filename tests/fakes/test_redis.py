"""The servers do what the tests that use them take for granted."""

import pytest
import redis

from tests.fakes.redis import NEVER, RedisServer, replicated
from tests.fakes.redis_groups import cluster, sentinel_group


def test_a_killed_server_comes_back_with_its_files_or_without(tmp_path_factory: pytest.TempPathFactory) -> None:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        server.admin.set("a", "1")
        server.kill()
        with pytest.raises(redis.ConnectionError):
            server.admin.ping()
        server.restart()
        assert server.admin.get("a") == "1"
        server.restart(empty=True)
        assert server.admin.get("a") is None


def test_a_paused_server_says_nothing_until_it_is_resumed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with RedisServer(tmp_path_factory.mktemp("redis"), {"maxmemory": "10mb"}) as server:
        assert server.admin.config_get("maxmemory") == {"maxmemory": str(10 * 2**20)}
        server.pause()
        with (
            redis.Redis(port=server.port, socket_timeout=0.2, retry=NEVER) as client,
            pytest.raises(redis.TimeoutError),
        ):
            client.ping()
        server.resume()
        assert server.admin.ping()


def test_a_replica_refuses_writes(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("replica")
    with RedisServer(folder / "master") as master, replicated(folder / "replica", master) as replica:
        assert replica.admin.info("replication")["master_link_status"] == "up"
        with pytest.raises(redis.ReadOnlyError):
            replica.admin.set("a", "1")


def test_sentinel_makes_the_replica_the_master(tmp_path_factory: pytest.TempPathFactory) -> None:
    with sentinel_group(tmp_path_factory.mktemp("sentinel")) as group:
        old = group.master
        old.admin.set("a", "1")
        old.kill()
        group.until_moved(old)
        assert group.master.admin.get("a") == "1"


def test_a_cluster_shares_the_slots_and_serves_on_without_one_node(tmp_path_factory: pytest.TempPathFactory) -> None:
    with cluster(tmp_path_factory.mktemp("cluster")) as joined:
        keys = [f"key-{number}" for number in range(20)]
        for key in keys:
            joined.owner(key).admin.set(key, "1")
        lost = joined.owner(keys[0])
        lost.kill()
        assert {joined.owner(key).admin.get(key) for key in keys if joined.owner(key) is not lost} == {"1"}
        lost.restart()
        joined.until_whole()
        assert lost.admin.get(keys[0]) == "1"
