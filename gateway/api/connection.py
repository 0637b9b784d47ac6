"""The client's side of a request: is it still there, does it take what we send, does it hear from us.

uvicorn does not cancel a handler whose client has left, it only says so to whoever calls `receive()`: whoever works for
a client therefore watches that beside the work, from the first moment on. Nor does it give up on a client that stays
and reads nothing, for whom an engine and a hold would wait for ever. Knows nothing of what is being answered.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Send

from gateway.api.sse import KEEP_ALIVE
from gateway.api.waits import within
from gateway.errors import Overloaded

T = TypeVar("T")

# A quarter of the 60 s of silence after which nginx and AWS's load balancers cut a connection by default.
KEEP_ALIVE_S = 15.0
# For one message, once the buffers before it are full: half of nginx's send_timeout, for we hold budgets meanwhile.
TAKE_S = 30.0


def patient(send: Send, seconds: float = TAKE_S) -> Send:
    """A `send` that raises ClientDisconnect when the client takes nothing for so long."""

    async def bounded(message: Message) -> None:
        try:
            await within(seconds, send(message))
        except TimeoutError:
            raise ClientDisconnect from None

    return bounded


def stopping() -> Overloaded:
    """What a request is told that outlasts the grace of a stop."""
    return Overloaded("The gateway is stopping and has cut this request; send it again.")


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in a task of its own and return what it returns; cancel it as soon as the client leaves.

    The body must have been read: the next thing that `receive` gives is the disconnect. `work` must not send the last
    message of the response: uvicorn then says `http.disconnect` too. Returns only when `work` has ended, its clean-up
    included. Raises ClientDisconnect when the client left first, else whatever `work` raises.

    It is itself cancelled by a stop alone: `work` then is cancelled with `stopping()` as the CancelledError's argument.
    """
    worker, watcher = asyncio.create_task(work), asyncio.create_task(_left(receive))
    reason = None
    try:
        await asyncio.wait((worker, watcher), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        reason = stopping()
        raise
    finally:
        watcher.cancel()
        worker.cancel(reason)  # changes nothing when it is done
        await asyncio.wait((worker, watcher))
    if worker.cancelled():
        raise ClientDisconnect
    return worker.result()


@asynccontextmanager
async def kept_alive(send: Send, every: float = KEEP_ALIVE_S) -> AsyncIterator[Send]:
    """A `send` for a started event stream that says something itself when nothing was sent for `every` seconds.

    One timer per stream and none per event. It has stopped when the block is left, so that nothing follows the end.
    """
    clock = asyncio.get_running_loop().time
    last = clock()

    async def noted(message: Message) -> None:
        nonlocal last
        last = clock()
        await send(message)

    async def speak() -> None:
        with suppress(ClientDisconnect):  # the next event is told so too
            while True:
                await asyncio.sleep(last + every - clock())
                if clock() - last >= every:
                    await noted({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})

    speaker = asyncio.create_task(speak())
    try:
        yield noted
    finally:
        speaker.cancel()
        await asyncio.wait((speaker,))


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
