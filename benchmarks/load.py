"""A closed-loop load generator for chat completions: `concurrency` connections, each asking again once it is answered.

On bare asyncio and httptools, so that it costs little beside what it measures. Knows the stub's one convention: the
text of a streamed token is the time at which it was sent (see stub.py). All times in seconds.
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httptools
import orjson

Body = dict[str, Any]
_TOKEN = re.compile(rb'"content":"(\d+) "')


@dataclass(slots=True)
class Load:
    """What was seen: latency of each request, and of streams the time to each first token and each token's way."""

    latencies: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    ways: list[float] = field(default_factory=list)
    seconds: float = 0.0


class Connection(asyncio.Protocol):
    """One kept-alive connection to a server."""

    def __init__(self, load: Load) -> None:
        self._load = load

    @classmethod
    async def open(cls, port: int, load: Load) -> "Connection":
        _, protocol = await asyncio.get_running_loop().create_connection(lambda: cls(load), "127.0.0.1", port)
        return protocol

    async def ask(self, body: Body, key: str) -> None:
        """Send one request and record how it was answered. Raises RuntimeError unless it was answered with 200."""
        self._parser, self._done = httptools.HttpResponseParser(self), asyncio.get_running_loop().create_future()
        self._text, self._tokens = bytearray(), 0
        content = orjson.dumps(body)
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: benchmark\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {key}\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        self._began = time.monotonic()
        self._transport.write(head.encode() + content)
        await self._done
        self._load.latencies.append(self._now - self._began)
        if self._parser.get_status_code() != 200:
            raise RuntimeError(f"the answer was {self._parser.get_status_code()}: {bytes(self._text)!r}")
        if body.get("stream") and self._tokens != body["max_completion_tokens"]:
            raise RuntimeError(f"{self._tokens} of {body['max_completion_tokens']} tokens came")

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(f"the connection was closed before the answer ended: {error}"))

    def data_received(self, data: bytes) -> None:
        self._now = time.monotonic()
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._text += body
        for sent in _TOKEN.findall(body):
            self._load.ways.append(self._now - int(sent) / 1e9)
            if self._tokens == 0:
                self._load.firsts.append(self._now - self._began)
            self._tokens += 1

    def on_message_complete(self) -> None:
        self._done.set_result(None)


async def run(port: int, key: str, body: Callable[[], Body], concurrency: int, seconds: float) -> Load:
    """Ask for `seconds`; requests that were begun are finished. Raises RuntimeError on the first failed one."""
    load = Load()
    connections = [await Connection.open(port, load) for _ in range(concurrency)]
    began = time.monotonic()

    async def client(connection: Connection) -> None:
        while time.monotonic() - began < seconds:
            await connection.ask(body(), key)

    try:
        await asyncio.gather(*map(client, connections))
        load.seconds = time.monotonic() - began
    finally:
        for connection in connections:
            connection.close()
    return load
