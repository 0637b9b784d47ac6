"""A client of a scripted backend, and what a script makes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from serving.backend import Backend
from serving.errors import BackendError
from serving.events import Event
from tests.fakes.backend import FakeBackend, Script

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}


@asynccontextmanager
async def faked(*scripts: Script, **options: Any) -> AsyncIterator[tuple[Backend, FakeBackend]]:
    """A client and the scripted backend it talks to."""
    async with FakeBackend() as fake:
        fake.plan(*scripts)
        backend = Backend("b", fake.url, **options)
        try:
            yield backend, fake
        finally:
            await backend.aclose()


def failing(script: Script, **options: Any) -> tuple[BackendError, list[Event]]:
    """The error that a script leads to, and the events that came before it."""

    async def run() -> tuple[BackendError, list[Event]]:
        events: list[Event] = []
        async with faked(script, **options) as (backend, _):
            try:
                async for one in backend.stream(ASK):
                    events.append(one)
            except BackendError as error:
                return error, events
        raise AssertionError("the script led to no error")

    return asyncio.run(run())
