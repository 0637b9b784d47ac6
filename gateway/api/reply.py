"""One answer on its way to one client, streamed or whole; both read the same events. Knows no API and no store.

Until the first event an exception leaves as it is, so that a refusal keeps its HTTP status; after it the status is
sent, and an exception becomes one last event. What the bytes are is the `writer`'s matter.

Invariant: the task that reads the answer also closes it, on every way out, and it ends when the client leaves.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import orjson
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.api.connection import kept_alive, patient, while_connected
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


class Answering(Response):
    """Answers `call` once it is called, and does nothing before.

    `begun` tells whether the answer has begun: from then on it costs something.
    """

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call, self.begun = call, False


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
        headers = of_answer(self.call, opened.cache, closed.balances, closed.cost_usd, self._now())
        await _begin(send, {"content-type": "application/json", "content-length": str(len(body))} | headers)
        return body

    async def _stream(self, scope: Scope, send: Send) -> bytes:
        """Send each event as it comes; returns what comes last."""
        async with aclosing(self._answers) as answers:
            opened = await self._opened(answers)
            await _begin(send, STREAM_HEADERS | of_answer(self.call, opened.cache, opened.balances, None, self._now()))
            try:
                return await self._pieces(answers, opened, send)
            except ClientDisconnect:  # nobody to tell
                raise
            except asyncio.CancelledError as cut:
                if cut.args:  # by a stop, which says so: the client is still there
                    await _send(patient(send, TELL_S), self._failure(scope, cut.args[0]), more=True)
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
        async with kept_alive(send) as say:
            async for answer in answers:
                match answer:
                    case Deltas():
                        await _send(say, self._writer.deltas(answer), more=True)
                    case Closed():
                        return self._writer.closing(answer)
        raise RuntimeError("the answer ended without Closed")


async def _begin(send: Send, headers: Headers) -> None:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": raw})


async def _send(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
