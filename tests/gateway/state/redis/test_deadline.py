"""What a call may take, and that it is over when its caller hears of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import ClusterDownError

from gateway.state.redis.deadline import CONNECTING, current, finished, in_time


def run(call: Callable[[], Awaitable[str]], seconds: float) -> str:
    return asyncio.run(finished(in_time(call, seconds)))


async def late(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "answer"


def test_a_call_in_time_gives_its_answer() -> None:
    assert run(lambda: late(0.01), 5.0) == "answer"


def test_a_call_that_hangs_is_cut_short() -> None:
    with pytest.raises(TimeoutError):
        run(lambda: late(60.0), 0.05)


def test_connecting_has_its_own_time_and_the_call_then_its_own_again() -> None:
    async def connects(connecting: float, calling: float) -> str:
        with current().connects(), current().connects():  # a connection within learning the slots
            await asyncio.sleep(connecting)
        return await late(calling)

    assert run(lambda: connects(1.5, 0.4), 1.0) == "answer"
    with pytest.raises(TimeoutError):
        run(lambda: connects(60.0, 0.0), 0.5 / CONNECTING)
    with pytest.raises(TimeoutError):
        run(lambda: connects(0.0, 60.0), 0.1)


def test_a_process_that_stood_still_does_not_call_the_other_late() -> None:
    async def stall() -> str:
        time.sleep(0.5)  # noqa: ASYNC251 - what is tested
        return await late(0.0)

    assert run(stall, 0.1) == "answer"


def test_what_the_server_complained_of_is_told_instead_of_a_timeout() -> None:
    async def retried() -> str:
        current().complaint = ClusterDownError("down")
        return await late(60.0)

    with pytest.raises(ClusterDownError):
        run(retried, 0.05)


def test_a_cancelled_call_has_ended_when_its_caller_hears_of_it() -> None:
    async def scenario() -> None:
        sent, ended = asyncio.Event(), []

        async def call() -> None:
            sent.set()
            for _ in range(5):
                await asyncio.sleep(0)
            ended.append(True)

        task = asyncio.create_task(finished(call()))
        await sent.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]

    asyncio.run(scenario())
