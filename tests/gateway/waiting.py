"""What tests wait for, and how: generously, since a loaded machine may be slow; nothing here measures time."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.exchange import Call
from gateway.runtime import Runtime

WAIT_S = 60.0
POLL_S = 0.01
POLLS = int(WAIT_S / POLL_S)


def waited(condition: Callable[[], bool]) -> None:
    """Return once the condition holds."""
    for _ in range(POLLS):
        if condition():
            return
        time.sleep(POLL_S)
    raise AssertionError("it never came to that")


async def until(condition: Callable[[], bool]) -> None:
    """Go on once the condition holds."""
    for _ in range(POLLS):
        if condition():
            return
        await asyncio.sleep(POLL_S)
    raise AssertionError("it never came to that")


def reached(asked: Call, stage: str) -> bool:
    """Whether this stage of the call is over."""
    return any(one.name == stage for one in asked.trace.stages)


@contextmanager
def locked(runtime: Runtime) -> Iterator[None]:
    """Another process's long transaction: until the block ends no write of the gateway gets through."""
    path = runtime.settings.state.url.removeprefix("sqlite:///")
    other = sqlite3.connect(path, timeout=30, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()
