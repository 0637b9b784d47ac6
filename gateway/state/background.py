"""Work that is done now and then beside the requests, until it is stopped. Knows not what.

A store that does not answer is tried again with the next turn; any other failure is a bug: logged, and work goes on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from gateway.state import StateUnavailable

T = TypeVar("T")

log = logging.getLogger("tollgate.state")


async def every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """For ever, with pauses of `seconds`."""
    while True:
        try:
            await work()
        except StateUnavailable:
            pass  # whoever needs it now says so
        except Exception:
            log.exception("work in the background failed, and is tried again")
        await asyncio.sleep(seconds)


async def attempted(work: Callable[[T], Awaitable[None]], things: Iterable[T]) -> None:
    """The work for each, at once; what cannot be done now (a cluster's node is away) keeps no other from its turn."""

    async def attempt(thing: T) -> None:
        with suppress(StateUnavailable):
            await work(thing)

    await asyncio.gather(*map(attempt, things))


async def stopped(tasks: list["asyncio.Task[None]"]) -> None:
    """Cancel them and wait for their ends."""
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
