"""The client's side of a request: is it still there, does it hear from us.

uvicorn does not cancel a handler whose client has left, it only says so to whoever calls `receive()`: whoever works for
a client therefore watches that beside the work, from the first moment on. Knows nothing of what is being answered.
"""

import asyncio
from collections.abc import Awaitable
from typing import Self, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Send

from gateway.api.sse import KEEP_ALIVE
from gateway.errors import Overloaded

T = TypeVar("T")

# Between two looks at a stream: a silence lasts two of them at most, a quarter of the 60 s after which nginx and AWS's
# load balancers cut a connection by default.
LOOK_S = 7.5


def stopping() -> Overloaded:
    """What a request is told that outlasts the grace of a stop, and what its task is then cancelled with."""
    return Overloaded("The gateway is stopping and has cut this request; send it again.")


async def while_connected(receive: Receive, work: Awaitable[T]) -> T:
    """What `work` returns; it is cancelled, without a reason, as soon as the client leaves.

    The body must have been read: the next thing that `receive` gives is the disconnect. `work` must not send the last
    message of the response: uvicorn then says `http.disconnect` too. Returns only when `work` has ended, its clean-up
    included. Raises ClientDisconnect when the client left first, else whatever `work` raises.
    """
    task = asyncio.current_task()
    assert task
    watcher = asyncio.create_task(_cancel_once_left(receive, task))
    try:
        return await work
    except asyncio.CancelledError:
        if not watcher.done():  # somebody else's: a stop
            raise
        task.uncancel()
        raise ClientDisconnect from None
    finally:
        watcher.cancel()


async def _cancel_once_left(receive: Receive, task: asyncio.Task[object]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    task.cancel()


class KeepAlive:
    """Says something on a started event stream, for as long as a block lasts, while nobody else does.

    Whoever sends sets `spoken`. One task per stream and nothing to do per event; nothing follows the end of the block.
    """

    def __init__(self, send: Send, every: float = LOOK_S) -> None:
        self.spoken = False
        self._send, self._every = send, every

    async def __aenter__(self) -> Self:
        self._speaker = asyncio.create_task(self._speak())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._speaker.cancel()
        await asyncio.wait((self._speaker,))

    async def _speak(self) -> None:
        while True:
            self.spoken = False
            await asyncio.sleep(self._every)
            if not self.spoken:
                await self._send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
