"""The stores that every contract test runs over: SQLite in memory, an SQLite file, a real Redis beside a file."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.state import State
from tests.contracts.places import Place

Scenario = Callable[[State], Awaitable[None]]
Play = Callable[[Scenario], None]


@pytest.fixture(params=["memory", "file", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty store."""
    return _place(request, tmp_path)


@pytest.fixture(params=["file", "redis"])
def shared_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty store that outlives its process, and that another may open too."""
    return _place(request, tmp_path)


def _place(request: pytest.FixtureRequest, folder: Path) -> Place:
    if request.param == "redis":
        return Place.redis(request.getfixturevalue("redis_url"), folder).emptied()
    return Place({"memory": "sqlite://:memory:", "file": f"sqlite:///{folder}/state.db"}[request.param], folder)


@pytest.fixture
def play(place: Place) -> Play:
    """Runs a scenario on an empty store, opened and closed around it."""

    async def run(scenario: Scenario) -> None:
        state = await place.open()
        try:
            await scenario(state)
        finally:
            await state.close()

    return lambda scenario: asyncio.run(run(scenario))
