"""The client's side of a request, over real sockets: who leaves stops the work, who waits hears that we live."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from gateway.api.connection import KeepAlive, while_connected
from gateway.api.sse import KEEP_ALIVE
from tests.gateway.api.server import served

POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
SOON = 10.0  # seconds; far more than anything here takes


class App:
    """An ASGI app that reads its body, then does `work` for as long as the client stays."""

    def __init__(self, work: Callable[[Send], Awaitable[Any]]) -> None:
        self.work = work
        self.began, self.cleaned, self.over = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.raised: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        await Request(scope, receive).body()
        try:
            await while_connected(receive, self._worked(send))
            await send({"type": "http.response.body", "body": b"ok"})
        except Exception as error:
            self.raised = error
        finally:
            self.over.set()

    async def _worked(self, send: Send) -> None:
        try:
            self.began.set()
            await self.work(send)
        finally:
            await asyncio.sleep(0.01)  # a settlement takes a moment
            self.cleaned.set()


async def answer(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})


async def forever(send: Send) -> None:
    await asyncio.Event().wait()


async def streaming(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(0.001)


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(POST)
    return reader, writer


@pytest.mark.parametrize("work", [forever, streaming], ids=["before the first byte", "in the middle"])
def test_a_client_that_leaves_stops_the_work_and_its_clean_up_is_awaited(
    work: Callable[[Send], Awaitable[Any]],
) -> None:
    async def scenario() -> None:
        app = App(work)
        async with served(app) as url, asyncio.timeout(SOON):
            _, writer = await connect(url)
            await app.began.wait()
            writer.transport.abort()
            await app.over.wait()
        assert app.cleaned.is_set()
        assert isinstance(app.raised, ClientDisconnect)

    asyncio.run(scenario())


def test_a_client_that_stays_has_its_answer_and_the_connection_serves_again() -> None:
    async def scenario() -> None:
        app = App(answer)
        async with served(app) as url, asyncio.timeout(SOON):
            reader, writer = await connect(url)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            writer.write(POST)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            writer.close()
        assert app.raised is None

    asyncio.run(scenario())


def test_what_the_work_raises_comes_out() -> None:
    async def failing() -> None:
        raise KeyError("x")

    async def connected() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(KeyError):
        asyncio.run(while_connected(connected, failing()))


def test_who_is_cancelled_from_outside_waits_for_the_clean_up_too() -> None:
    async def scenario() -> None:
        cleaned = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.01)
                cleaned.set()

        async def connected() -> Any:
            await asyncio.Event().wait()

        task = asyncio.create_task(while_connected(connected, work()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cleaned.is_set()

    asyncio.run(scenario())


def test_who_leaves_while_the_work_ends_is_not_cancelled_afterwards() -> None:
    """The disconnect is there, but the watcher has not run yet when the block is left."""

    async def scenario() -> str:
        left = asyncio.Event()

        async def receive() -> Any:
            await left.wait()
            return {"type": "http.disconnect"}

        async def work() -> str:
            await asyncio.sleep(0)  # the watcher waits by now
            left.set()
            return "done"

        result = await while_connected(receive, work())
        await asyncio.sleep(0.01)  # where a late cancellation would arrive
        return result

    assert asyncio.run(scenario()) == "done"


def test_a_cancellation_by_others_passes_with_its_reason() -> None:
    async def connected() -> Any:
        await asyncio.Event().wait()

    async def scenario() -> None:
        reason = ValueError("x")
        task = asyncio.create_task(while_connected(connected, asyncio.Event().wait()))
        await asyncio.sleep(0.01)
        task.cancel(reason)
        with pytest.raises(asyncio.CancelledError) as cut:
            await task
        assert cut.value.args == (reason,)

    asyncio.run(scenario())


def test_a_silent_stream_says_that_it_lives_and_stops_with_its_block() -> None:
    async def scenario() -> list[bytes]:
        sent: list[bytes] = []
        spoken = asyncio.Event()

        async def send(message: Any) -> None:
            sent.append(message["body"])
            if len(sent) == 3:
                spoken.set()

        async with asyncio.timeout(SOON), KeepAlive(send, every=0.02):
            await spoken.wait()
        await asyncio.sleep(0.1)
        return sent

    assert asyncio.run(scenario()) == [KEEP_ALIVE] * 3


def test_a_stream_that_speaks_is_not_interrupted() -> None:
    async def scenario() -> list[bytes]:
        sent: list[bytes] = []

        async def send(message: Any) -> None:
            sent.append(message["body"])

        looked = asyncio.get_running_loop().time() + 0.2
        async with KeepAlive(send, every=0.05) as line:
            while asyncio.get_running_loop().time() < looked:
                line.spoken = True
                await asyncio.sleep(0)
        return sent

    assert asyncio.run(scenario()) == []
