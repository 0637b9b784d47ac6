"""A client that reads nothing of its answer, over a real socket: in time it is taken to have left."""

import asyncio

from starlette.types import Receive, Scope, Send

from gateway.cli.connection import Connection
from tests.gateway.api.server import served

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
SOON = 30.0  # seconds; far more than anything here takes
PART = {"type": "http.response.body", "body": b"x" * 2**20, "more_body": True}


class Impatient(Connection):
    take_s = 0.2


class Flood:
    """An application whose answer fills every buffer on the way, until its client has left."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        sender = asyncio.create_task(self._flood(send))
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()
        sender.cancel()

    async def _flood(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send(PART)
            await asyncio.sleep(0)


def address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def test_a_client_that_takes_nothing_is_taken_to_have_left() -> None:
    async def scenario() -> None:
        app = Flood()
        async with served(app, Impatient) as url, asyncio.timeout(SOON):
            _, writer = await asyncio.open_connection(*address(url), limit=1)
            writer.write(REQUEST)
            await app.left.wait()
            writer.transport.abort()

    asyncio.run(scenario())


def test_a_client_that_takes_it_slowly_but_steadily_stays() -> None:
    async def scenario() -> None:
        app = Flood()
        async with served(app, Impatient) as url, asyncio.timeout(SOON):
            reader, writer = await asyncio.open_connection(*address(url), limit=2**16)
            writer.write(REQUEST)
            for _ in range(40):  # for several times as long as it may take nothing
                await reader.readexactly(2**18)
                await asyncio.sleep(Impatient.take_s / 10)
            assert not app.left.is_set()
            writer.transport.abort()
            await app.left.wait()

    asyncio.run(scenario())
