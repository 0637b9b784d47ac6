"""Work that must end although its caller is being cancelled, or although the store is away just now. Knows no ledger.

An unshielded `await` in a settlement is cancelled with its request, and what was held leaks: a client that hangs up
would be enough. Tasks are kept here, because the event loop keeps only weak references to them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from itertools import chain, repeat
from typing import Any, TypeVar

from gateway.state import StateUnavailable

T = TypeVar("T")

log = logging.getLogger("tollgate.ledger")

SETTLE_S = 10.0  # a settlement is two small writes; past this the caller goes on, and the work too
AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # a store that restarts is back within minutes; then once a minute
MOST = 10_000  # writes that wait for the store, some 5 KB each: what comes on top of them is left to a restart

_running: set[asyncio.Task[Any]] = set()


def background(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run `work` beside whoever asks; a failure is logged by its class."""
    task = asyncio.create_task(work)
    _running.add(task)
    task.add_done_callback(_finished)
    return task


async def protected(work: Coroutine[Any, Any, Any]) -> None:
    """Run `work` to its end though the caller is being cancelled, waiting SETTLE_S at most; then cancel as asked."""
    task = background(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=SETTLE_S)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=SETTLE_S)
        raise
    if done:
        task.result()
    else:
        log.error("a settlement takes longer than %s s; it goes on without its request", SETTLE_S)


async def drained() -> None:
    """Wait until what runs in the background of this loop has ended, SETTLE_S at most: before the store is closed."""
    ours = {task for task in _running if task.get_loop() is asyncio.get_running_loop()}
    if ours:
        await asyncio.wait(ours, timeout=SETTLE_S)


async def insisted(write: Callable[[], Awaitable[T]], what: str) -> T | None:
    """The result of `write`, which must be safe to repeat; None when the store is away: it is tried again later."""
    try:
        return await write()
    except StateUnavailable as error:
        if len(_running) >= MOST:
            log.error("%s could not be written (%s) and %d others wait: it is given up", what, error, MOST)
        else:
            log.error("%s could not be written (%s); it is tried again", what, error)
            background(_again(write, what))
        return None


async def _again(write: Callable[[], Awaitable[Any]], what: str) -> None:
    for pause in chain(AGAIN_S, repeat(AGAIN_S[-1])):
        await asyncio.sleep(pause)
        try:
            await write()
        except StateUnavailable:
            continue
        log.warning("%s was written at last", what)
        return


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()):
        log.error("work beside a request failed: %s", type(error).__name__)
