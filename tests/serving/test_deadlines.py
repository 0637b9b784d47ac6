"""Every way to be too slow, on a scripted backend."""

import asyncio

import pytest

from serving.backend import Timeouts
from serving.errors import BackendTimeout
from tests.fakes.backend import DONE, HANG, Script, piece, words
from tests.fakes.client import ASK, failing, faked


@pytest.mark.parametrize(
    ("script", "timeouts", "phase"),
    [
        (Script(delay=30.0), Timeouts(first_token=0.2), "first_token"),
        (Script((HANG,)), Timeouts(first_token=0.2), "first_token"),
        (Script((b": ping\n\n", 0.1) * 50), Timeouts(first_token=0.2), "first_token"),
        (Script((*words("a"), HANG)), Timeouts(between_tokens=0.2), "between_tokens"),
        (Script((*words("a"), *(b": ping\n\n", 0.1) * 50)), Timeouts(between_tokens=0.2), "between_tokens"),
        (Script((*words("a"), b"data: {", HANG)), Timeouts(between_tokens=0.2), "between_tokens"),
        (Script((*words("a"), *(piece({"content": "x"}, 1), 0.05) * 100)), Timeouts(total=0.5), "total"),
    ],
    ids=["headers", "silence", "comments", "hang", "pings", "half-event", "drip"],
)
def test_every_deadline(script: Script, timeouts: Timeouts, phase: str) -> None:
    error, _ = failing(script, timeouts=timeouts)
    assert isinstance(error, BackendTimeout)
    assert error.phase == phase


def test_a_slow_reader_does_not_use_up_the_deadline() -> None:
    async def run() -> None:
        slow = Script((*words("a"), 0.05, piece({"content": "b"}, 2, "stop"), DONE))
        async with faked(slow, timeouts=Timeouts(first_token=0.5, between_tokens=0.2)) as (backend, _):
            async for _ in backend.stream(ASK):
                await asyncio.sleep(0.3)

    asyncio.run(run())
