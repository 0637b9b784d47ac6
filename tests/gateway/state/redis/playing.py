"""Scenes with a client's connections to a real server, which end whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.state import StateUnavailable
from gateway.state.redis.server import Server

CALL_S = 2.0  # where the test is not about the time: a busy machine stretches it
LONG_S = 30.0  # to wait for what takes moments
Scenario = Callable[[Server], Awaitable[None]]


def play(url: str, scenario: Scenario, call_s: float = CALL_S) -> None:
    async def run() -> None:
        server = Server(url, call_s)
        try:
            await scenario(server)
        finally:
            await server.aclose()

    asyncio.run(asyncio.wait_for(run(), 2 * LONG_S))


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises(StateUnavailable) as error:
        await call
    return str(error.value)
