"""Several real Redis servers as one: a master and its replica under Sentinel, a Cluster. See `redis.py` for one."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from redis.crc import key_slot

from tests.fakes.ports import free_port
from tests.fakes.redis import RedisServer, info, replicated, until

BUS = 10_000  # a cluster's nodes talk on their port + 10000 (redis.io, cluster specification)
SLOTS = 16_384
MASTER = "mymaster"


class SentinelServer(RedisServer):
    """The server that watches `master`, alone: it decides by itself (quorum 1), half a second after the master went."""

    def __init__(self, folder: Path, master: RedisServer) -> None:
        super().__init__(folder)
        self._options, self._master = {}, master

    def _command(self) -> list[str]:
        return [*super()._command(), "--sentinel"]

    def _lines(self) -> list[str]:
        watch = {
            "monitor": f"127.0.0.1 {self._master.port} 1",
            "down-after-milliseconds": 500,
            "failover-timeout": 3000,
        }
        lines = super()._lines()
        return lines + [f"sentinel {name} {MASTER} {value}" for name, value in watch.items()]


class SentinelGroup:
    """A master, its replica, and one Sentinel."""

    def __init__(self, first: RedisServer, second: RedisServer, sentinel: SentinelServer) -> None:
        self._servers, self.sentinel = (first, second), sentinel

    @property
    def url(self) -> str:
        return f"redis+sentinel://{self.sentinel.address}/{MASTER}?db=0"

    @property
    def master(self) -> RedisServer:
        """The server that Sentinel names."""
        with self.sentinel.admin as admin:
            _, port = admin.sentinel_get_master_addr_by_name(MASTER)
        return next(server for server in self._servers if server.port == int(port))

    @property
    def replica(self) -> RedisServer:
        master = self.master
        return next(server for server in self._servers if server is not master)

    def failover(self) -> None:
        """The replica becomes the master. The old one stays a master too until Sentinel's next look, some 10 s later,
        as it would behind a cut network."""
        old = self.master
        with self.sentinel.admin as admin:
            admin.execute_command("SENTINEL", "FAILOVER", MASTER)
        self.until_moved(old)

    def until_moved(self, old: RedisServer) -> None:
        """Wait until another server than `old` is the master, for instance after `old.kill()`."""
        until(lambda: self.master is not old and _role(self.master) == "master", "Sentinel names no new master")

    def until_known(self) -> None:
        """Wait until Sentinel has seen the replica follow: only then can it take over."""
        until(self._known, "Sentinel does not see the replica follow")

    def _known(self) -> bool:
        with self.sentinel.admin as admin:
            replicas = admin.sentinel_slaves(MASTER)
        return any(found["flags"] == "slave" and found["master-link-status"] == "ok" for found in replicas)


class Cluster:
    """Masters without replicas that share all slots, each an unbroken range."""

    def __init__(self, nodes: list[RedisServer]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(node.address for node in self.nodes)

    def owner(self, key: str) -> RedisServer:
        """The node whose slots hold this key."""
        return self.nodes[key_slot(key.encode()) * len(self.nodes) // SLOTS]

    def join(self) -> None:
        """Share out the slots, introduce the nodes; returns when each finds the cluster whole."""
        count = len(self.nodes)
        for number, node in enumerate(self.nodes):
            slots = [slot for slot in range(SLOTS) if slot * count // SLOTS == number]
            node.admin.execute_command("CLUSTER", "ADDSLOTS", *slots)
            node.admin.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        self.until_whole()

    def until_whole(self) -> None:
        """Wait until every node finds all slots served and knows all the others."""
        until(lambda: all(map(self._whole, self.nodes)), "the cluster is not whole")

    def _whole(self, node: RedisServer) -> bool:
        with node.admin as admin:
            info = admin.cluster("INFO")
        return bool(info["cluster_state"] == "ok" and info["cluster_known_nodes"] == str(len(self.nodes)))


@contextmanager
def sentinel_group(folder: Path) -> Iterator[SentinelGroup]:
    """Master, replica and Sentinel, ready to fail over."""
    with ExitStack() as stack:
        master = stack.enter_context(RedisServer(folder / "first"))
        replica = stack.enter_context(replicated(folder / "second", master))
        sentinel = stack.enter_context(SentinelServer(folder / "sentinel", master))
        group = SentinelGroup(master, replica, sentinel)
        group.until_known()
        yield group


@contextmanager
def cluster(folder: Path, count: int = 3, options: Mapping[str, Any] | None = None) -> Iterator[Cluster]:
    """`count` masters. With `cluster-require-full-coverage` `no` (the default here) the others serve on without one."""
    settings = {"cluster-enabled": "yes", "cluster-node-timeout": 1000, "cluster-require-full-coverage": "no"}
    with ExitStack() as stack:
        servers = [
            RedisServer(folder / str(number), settings | dict(options or {}), _port()) for number in range(count)
        ]
        joined = Cluster([stack.enter_context(server) for server in servers])
        joined.join()
        yield joined


def _port() -> int:
    """One that is free, and that of its bus too."""
    while True:
        port = free_port(below=65_536 - BUS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port + BUS))
            return port


def _role(server: RedisServer) -> str:
    return str(info(server)["role"])
