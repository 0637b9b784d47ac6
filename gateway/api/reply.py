"""One answer on its way to one client, streamed or whole; both read the same events. Knows no API and no store.

Until the first event an exception leaves as it is, so that a refusal keeps its HTTP status: nothing is sent before it,
no keep-alive either, and a stream whose first token is long in coming is silent until then. After it the status is
sent, and an exception becomes one last event. What the bytes are is the `writer`'s matter.

Invariant: the task that reads the answer also closes it, on every way out, and it ends when the client leaves.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

import orjson
from starlette.types import Receive, Scope, Send

from gateway.api.connection import KeepAlive, stopping, while_connected
from gateway.api.endpoint import Writer
from gateway.api.failure import wire_of
from gateway.api.headers import Headers, of_answer
from gateway.exchange import Answer, Call, Closed, Opened
from serving.events import Deltas

STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",  # nginx would gather the events
}

TELL_S = 1.0  # for the last word to a client when the gateway stops: it need not wait for who reads nothing


class Answering(ABC):
    """Answers `call` once it is called, as an ASGI application, and does nothing before.

    `begun` tells whether the answer has begun: from then on it costs something.
    """

    def __init__(self, call: Call) -> None:
        self.call, self.begun = call, False

    @abstractmethod
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Reply(Answering):
    """Sends `answers`, which must be unstarted, as the answer to `call`. `now` is the time that limits go by."""

    def __init__(
        self, call: Call, answers: AsyncGenerator[Answer, None], writer: Writer, now: Callable[[], float]
    ) -> None:
        super().__init__(call)
        self._answers, self._writer, self._now = answers, writer, now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = self._stream(scope, send) if self.call.stream else self._collect(send)
        last = await while_connected(receive, work)
        await _send(send, last, more=False)

    async def _opened(self, answers: AsyncGenerator[Answer, None]) -> Opened:
        first = await anext(answers)
        assert isinstance(first, Opened)
        self.begun = True
        return first

    async def _collect(self, send: Send) -> bytes:
        """Begin the response once the answer is whole; returns its body."""
        async with aclosing(self._answers) as answers:
            opened = await self._opened(answers)
            async for answer in answers:
                closed = answer
        assert isinstance(closed, Closed)
        body = orjson.dumps(self._writer.whole(opened, closed), default=dict)
        headers = of_answer(self.call, opened.cache, closed.balances, closed.cost_usd, self._now(), opened.age)
        await _begin(send, {"content-type": "application/json", "content-length": str(len(body))} | headers)
        return body

    async def _stream(self, scope: Scope, send: Send) -> bytes:
        """Send each event as it comes; returns what comes last."""
        async with aclosing(self._answers) as answers:
            opened = await self._opened(answers)
            headers = of_answer(self.call, opened.cache, opened.balances, None, self._now(), opened.age)
            await _begin(send, STREAM_HEADERS | headers)
            try:
                return await self._pieces(answers, opened, send)
            except asyncio.CancelledError as cut:
                if cut.args:  # by a stop, which says so: the client is still there
                    with suppress(TimeoutError):
                        async with asyncio.timeout(TELL_S):
                            await _send(send, self._failure(scope, stopping()), more=True)
                raise
            except Exception as error:
                return self._failure(scope, error)

    def _failure(self, scope: Scope, error: BaseException) -> bytes:
        wire = wire_of(error, self.call.request_id)
        scope["state"]["error"] = wire.code
        return self._writer.failure(wire)

    async def _pieces(self, answers: AsyncGenerator[Answer, None], opened: Opened, send: Send) -> bytes:
        if first := self._writer.opening(opened):
            await _send(send, first, more=True)
        async with KeepAlive(send) as line:
            async for answer in answers:
                if isinstance(answer, Deltas):
                    line.spoken = True
                    await _send(send, self._writer.deltas(answer), more=True)
                elif isinstance(answer, Closed):
                    return self._writer.closing(answer)
        raise RuntimeError("the answer ended without Closed")


async def _begin(send: Send, headers: Headers) -> None:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": raw})


async def _send(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
