"""What the server takes in: how many requests at once, how many bytes, how slowly. Decided before anything is parsed.

A pure ASGI layer. It knows no route but the three that must always answer, and nothing of what a body means.

Invariant: at most `max_requests` bodies of `max_body_bytes` each are held at any moment.
"""

import asyncio
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.waits import within
from gateway.errors import BodyTooLarge, BodyTooSlow, Overloaded, UnsupportedEncoding
from gateway.settings import Server

BODY_S = 30.0  # for a whole body: 1 MiB at 280 kbit/s
ALWAYS = frozenset({"/health/live", "/health/ready", "/metrics"})  # a full gateway must still say that it is


class Intake:
    """Refuses what the server cannot take before it reads the body, and bounds the body while it is read."""

    def __init__(self, app: ASGIApp, limits: Server) -> None:
        self._app, self._limits = app, limits
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            await self._app(scope, receive, send)
            return
        if self._open >= self._limits.max_requests:
            raise Overloaded(f"The gateway is answering {self._open} requests, the most it takes at once; try again.")
        _acceptable(dict(scope["headers"]), self._limits.max_body_bytes)
        self._open += 1
        try:
            await self._app(scope, Body(receive, self._limits.max_body_bytes), send)
        finally:
            self._open -= 1


class Body:
    """A `receive` that gives up on a body that is too large or too slow. What follows the body passes unchecked."""

    def __init__(self, receive: Receive, most: int, seconds: float = BODY_S) -> None:
        self._receive, self._most, self._seconds = receive, most, seconds
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + seconds
        self._size, self._whole = 0, False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            message = await within(self._deadline - self._clock(), self._receive())
        except TimeoutError:
            raise BodyTooSlow(f"The body did not arrive within {self._seconds:g} s.") from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > self._most:
            raise _too_large(self._most)
        return message


def _acceptable(headers: Mapping[bytes, bytes], most: int) -> None:
    encoding = headers.get(b"content-encoding", b"identity")
    if encoding.strip().lower() != b"identity":
        raise UnsupportedEncoding("Send the body uncompressed, without Content-Encoding.", param="content-encoding")
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > most:
        raise _too_large(most)


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {most} bytes, the most this server takes.")
