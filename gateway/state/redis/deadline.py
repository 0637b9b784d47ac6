"""How long a call may take, and that it is ended before its caller goes on.

Knows no command and no key. The connections report to the current `Call` that they connect, and what the server
complained of; redis-py would retry, sleep or rename that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.exceptions import RedisError

T = TypeVar("T")

CALL_S = 0.05  # a request that cannot have Redis's word in 50 ms goes on without it, or fails
CONNECTING = 5  # times as long for a call that must connect: that takes several round trips (TCP, TLS, AUTH, SELECT)
TICKS = 5  # that a call may take


@dataclass(slots=True)
class Call:
    """One call as its connections see it; `ticks` is what its deadline goes by."""

    connecting: int = 0
    ticks: int = 0
    complaint: RedisError | None = None
    expired: bool = False

    @contextmanager
    def connects(self) -> Iterator[None]:
        """Connecting has its own time, and the call then its own again."""
        self.connecting += 1
        self.ticks = 0
        try:
            yield
        finally:
            self.connecting -= 1
            self.ticks = 0

    def tick(self) -> bool:
        """Whether its time is over with this one."""
        self.ticks += 1
        self.expired = self.ticks >= (TICKS * CONNECTING if self.connecting else TICKS)
        return self.expired


_CALL: ContextVar[Call] = ContextVar("call")


def current() -> Call:
    """The call of this context; a new one where nobody waits for any."""
    return _CALL.get(None) or Call()


async def in_time(call: Callable[[], Awaitable[T]], seconds: float = CALL_S) -> T:
    """What the call returns. Raises TimeoutError after `seconds` (CONNECTING times that while it connects), or what
    the server complained of meanwhile.

    To be awaited in a task of its own: redis-py closes the connection of a task that is cancelled, which is how a call
    is cut short. Time is counted in ticks of the event loop: one that stood still for a second has counted one, for it
    would have seen no answer.
    """
    loop, task, report = asyncio.get_running_loop(), asyncio.current_task(), Call()
    timer: asyncio.TimerHandle

    def tick() -> None:
        nonlocal timer
        if report.tick() and task:
            task.cancel()
        else:
            timer = loop.call_later(seconds / TICKS, tick)

    _CALL.set(report)
    timer = loop.call_later(seconds / TICKS, tick)
    try:
        return await call()
    except asyncio.CancelledError:
        if report.expired:
            raise report.complaint or TimeoutError from None
        raise
    finally:
        timer.cancel()


async def finished(call: Coroutine[Any, Any, T]) -> T:
    """What `call` returns, never left half sent: if the caller is cancelled, the cancellation waits for its end.

    So the next call for the same request, over whatever connection, comes after it.
    """
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody will hear of it, which asyncio would complain about
        raise
