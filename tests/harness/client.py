"""An HTTP client on bare sockets, which can do what no library would: leave at a chosen byte, reset, read slowly.

    reply = await chat(url, key, {"model": "small", ...}, Leave(events=3, how=RST))

One connection a request. What goes wrong on the way is part of the reply, never an exception, so that ten thousand can
be gathered. Knows HTTP/1.1 and server-sent events, nothing of the gateway but its paths.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import httptools

from serving.decode import Decoder

CHATS = "/v1/chat/completions"
WAIT_S = 600.0  # for one reply: ten thousand may be ahead of it on a busy machine of two cores
PIECE = 65536


class How(Enum):
    """How a client leaves."""

    FIN = "ends its side; what still comes is refused by the kernel"
    RST = "resets the connection"


FIN, RST = How


@dataclass(frozen=True, slots=True)
class Leave:
    """When to leave an answer: after so many bytes of the connection, or events of the stream, whatever comes first."""

    events: int | None = None
    bytes: int | None = None
    how: How = FIN

    def now(self, reply: "Reply") -> bool:
        return (self.events is not None and len(reply.events) >= self.events) or (
            self.bytes is not None and reply.received >= self.bytes
        )


@dataclass(frozen=True, slots=True)
class Slow:
    """Read so many bytes, wait so many seconds, again and again; the kernel's buffer is made small too."""

    bytes: int = 256
    seconds: float = 0.01


@dataclass(slots=True)
class Reply:
    """What came: `whole` when the message ended as HTTP wants it, `broken` the kind of error that ended it, if one did.

    `events` are the payloads of a stream. A request that was never answered has status 0.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    events: list[bytes] = field(default_factory=list)
    received: int = 0
    whole: bool = False
    broken: str | None = None

    @property
    def request_id(self) -> str:
        return self.headers.get("x-request-id", "")

    @property
    def streamed(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def done(self) -> bool:
        """A whole answer: the stream's last event, or a whole body."""
        return self.status == 200 and (self.events[-1:] == [b"[DONE]"] if self.streamed else self.whole)

    @property
    def json(self) -> Any:
        return json.loads(bytes(self.body))

    @property
    def code(self) -> str | None:
        """The error's code, also of one that came inside a stream."""
        texts = [bytes(self.body)] if not self.streamed else [one for one in self.events if b'"error"' in one]
        found = (json.loads(text).get("error") for text in texts if self.whole or self.streamed)
        return next((error["code"] for error in found if error), None)

    @property
    def said(self) -> int:
        """How many pieces of text came: with the scripted backend a token each."""
        chunks = [json.loads(one) for one in self.events if one != b"[DONE]"]
        return sum(bool(choice["delta"].get("content")) for chunk in chunks for choice in chunk.get("choices", ()))


async def at_once() -> None:
    """Asks as soon as it is connected."""


async def chat(
    url: str,
    key: str,
    body: Mapping[str, Any],
    leave: Leave | None = None,
    slow: Slow | None = None,
    on_event: Callable[[Reply], object] = id,
    headers: Mapping[str, str] | None = None,
    ready: Callable[[], Awaitable[object]] = at_once,
) -> Reply:
    """POST a chat completion; `on_event` is told of every piece that came."""
    sent = {"authorization": f"Bearer {key}", "content-type": "application/json"} | dict(headers or {})
    return await ask(url, "POST", CHATS, json.dumps(body).encode(), sent, leave, slow, on_event, ready)


async def ask(
    url: str,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    leave: Leave | None = None,
    slow: Slow | None = None,
    on_event: Callable[[Reply], object] = id,
    ready: Callable[[], Awaitable[object]] = at_once,
) -> Reply:
    """One request over a connection of its own; `ready` is awaited between connecting and asking."""
    parts = urlsplit(url)
    lines = [f"{method} {path} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    reading = _Reading()
    with socket.socket() as raw:
        raw.setblocking(False)
        if slow:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            async with asyncio.timeout(WAIT_S):
                loop = asyncio.get_running_loop()
                await loop.sock_connect(raw, (parts.hostname, parts.port))
                await ready()
                await loop.sock_sendall(raw, "\r\n".join([*lines, "", ""]).encode() + body)
                await _read(raw, reading, leave, slow, on_event)
        except (OSError, TimeoutError, httptools.HttpParserError) as error:
            reading.reply.broken = type(error).__name__
    return reading.reply


async def _read(
    raw: socket.socket, reading: "_Reading", leave: Leave | None, slow: Slow | None, told: Callable[[Reply], object]
) -> None:
    loop, reply = asyncio.get_running_loop(), reading.reply
    while not reply.whole:
        if leave and leave.now(reply):
            return _left(raw, leave.how)
        data = await loop.sock_recv(raw, slow.bytes if slow else PIECE)
        if not data:
            raise ConnectionAbortedError
        reading.feed(data)
        told(reply)
        if slow:
            await asyncio.sleep(slow.seconds)
    return None


def _left(raw: socket.socket, how: How) -> None:
    if how is RST:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        raw.shutdown(socket.SHUT_WR)


class _Reading:
    """A reply as it comes; httptools calls the methods."""

    def __init__(self) -> None:
        self.reply = Reply()
        self._parser = httptools.HttpResponseParser(self)
        self._events = Decoder()

    def feed(self, data: bytes) -> None:
        self.reply.received += len(data)
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.reply.headers[name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        self.reply.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.reply.body += body
        if self.reply.streamed:
            self.reply.events += self._events.feed(body)

    def on_message_complete(self) -> None:
        self.reply.whole = True
