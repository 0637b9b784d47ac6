"""The stores that every contract test runs over: SQLite in memory, an SQLite file, a real Redis server."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis

from gateway.state import State
from gateway.state.open import open_state

Scenario = Callable[[State], Awaitable[None]]


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
