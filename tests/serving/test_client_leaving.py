"""A client that leaves: its connection is closed at once, and none is lost."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from serving.backend import Backend, Timeouts
from tests.fakes.backend import HANG, Script, words
from tests.fakes.client import ASK, faked


async def _close(backend: Backend) -> None:
    events = backend.stream(ASK)
    await anext(events)
    await events.aclose()


async def _cancel(backend: Backend) -> None:
    began = asyncio.Event()

    async def read() -> None:
        async for _ in backend.stream(ASK):
            began.set()

    task = asyncio.create_task(read())
    await began.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _cancel_before_an_answer(backend: Backend) -> None:
    task = asyncio.create_task(backend.complete(ASK))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("leave", "script"),
    [
        (_close, Script((*words("a"), HANG))),
        (_cancel, Script((*words("a"), HANG))),
        (_cancel_before_an_answer, Script(delay=30.0)),
    ],
)
def test_leaving_closes_the_connection(leave: Callable[[Backend], Any], script: Script) -> None:
    async def run() -> None:
        sys.set_asyncgen_hooks(finalizer=lambda _: None)  # it must not be left to the garbage collector
        async with faked(script) as (backend, fake):
            await leave(backend)
            await asyncio.wait_for(fake.requests[0].over.wait(), 5)
            assert fake.requests[0].left_early

    asyncio.run(run())


def test_leaving_many_times_leaks_no_connection() -> None:
    """httpx 0.28 lost a slot for ever at some of these (encode/httpcore#1093)."""

    async def run() -> None:
        options: dict[str, Any] = {"max_connections": 4, "timeouts": Timeouts(connect=2.0)}
        async with faked(*(Script((*words("a"), 0.02, *words("b"), HANG)) for _ in range(200)), **options) as (
            backend,
            fake,
        ):

            async def leave(after: float) -> None:
                task = asyncio.create_task(backend.complete(ASK))
                await asyncio.sleep(after)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

            await asyncio.gather(*(leave(n % 40 / 1000) for n in range(200)))
            fake._plan.clear()
            answers = await asyncio.gather(*(backend.complete(ASK) for _ in range(8)))
            assert len(answers) == 8

    asyncio.run(run())
