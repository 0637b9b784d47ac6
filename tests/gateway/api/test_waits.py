"""A deadline around work that ends at once, late, never or badly."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateway.api.waits import within


async def at_once() -> str:
    return "done"


async def soon() -> str:
    for _ in range(3):
        await asyncio.sleep(0.001)
    return "done"


async def failing_at_once() -> str:
    raise KeyError("x")


async def failing_soon() -> str:
    await asyncio.sleep(0.001)
    raise KeyError("x")


@pytest.mark.parametrize("work", [at_once, soon])
def test_what_it_returns(work: Callable[[], Coroutine[Any, Any, str]]) -> None:
    assert asyncio.run(within(60.0, work())) == "done"


@pytest.mark.parametrize("work", [failing_at_once, failing_soon])
def test_what_it_raises(work: Callable[[], Coroutine[Any, Any, str]]) -> None:
    with pytest.raises(KeyError):
        asyncio.run(within(60.0, work()))


def waiting(ended: list[str]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0.001)
            ended.append("cleaned")

    return wait


def test_what_waits_too_long_is_cancelled_and_cleans_up() -> None:
    ended: list[str] = []
    with pytest.raises(TimeoutError):
        asyncio.run(within(0.05, waiting(ended)()))
    assert ended == ["cancelled", "cleaned"]


def test_a_cancellation_from_outside_passes() -> None:
    ended: list[str] = []

    async def scenario() -> None:
        task = asyncio.create_task(within(60.0, waiting(ended)()))
        await asyncio.sleep(0.01)
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError, match="why"):
            await task

    asyncio.run(scenario())
    assert ended == ["cancelled", "cleaned"]


def test_work_that_goes_on_after_an_error_is_waited_for() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
        return "done"

    async def scenario() -> str:
        task = asyncio.create_task(within(60.0, stubborn()))
        await asyncio.sleep(0.01)
        task.cancel()
        return await task

    assert asyncio.run(scenario()) == "done"
