"""Requests to one server as raw bytes, and every way in which HTTP can go wrong as a `serving.errors` error.

It knows nothing of chat: `serving.backend` gives the bytes their meaning. Why an own client: httpx2 takes ten times as
much CPU a request and more (benchmarks/client.py measures both).

Invariants: the host is the configured one (no proxies from the environment, no redirects); bytes are read raw, and a
compressed answer is refused (389 KB of gzip once unpacked to 400 MB); each wait has a deadline; an answer that is left
before its end closes its connection, which is how vLLM learns to stop working, and that closing cannot be cancelled,
for it does not wait.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from serving.address import Address
from serving.connection import Connection, Lost
from serving.connections import Connections
from serving.deadlines import Clock
from serving.errors import BackendBroken, BackendRejected, BackendUnavailable
from serving.failures import connecting, lost, refusal

OK = 200
MAX_REFUSAL_BYTES = 64 * 1024
# A server that closed a kept connection as the request was on its way is known to have within a round trip, the longest
# of which take some 300 ms. Who has held a request for longer may have worked on it: a second one is paid for twice.
JUST_CLOSED_S = 1.0


class Answer:
    """The body of one answer. `close` gives its connection back; it must be called once, and never waits."""

    __slots__ = ("_backend", "_clock", "_connection", "_connections")

    def __init__(self, backend: str, connections: Connections, connection: Connection, clock: Clock) -> None:
        self._backend, self._connections, self._connection, self._clock = backend, connections, connection, clock

    async def piece(self) -> bytes:
        """The next bytes, empty at the end. Raises BackendBroken, BackendTimeout."""
        try:
            return await self._connection.piece(self._clock)
        except Lost as error:
            raise lost(self._backend, begun=True) from error

    async def read(self, limit: int) -> bytes:
        """All of it, or a little more than its first `limit` bytes. Raises as `piece`."""
        pieces, size = [], 0
        while size <= limit and (piece := await self.piece()):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        self._connections.give(self._connection)


class Client:
    """Asks the server at `url`, called `name` in errors. `connect_seconds` bounds connecting, and queueing for it."""

    def __init__(
        self, name: str, url: str, *, api_key: str | None, connect_seconds: float, max_connections: int
    ) -> None:
        self._name, self._url, self._api_key, self._connect_seconds = name, url, api_key, connect_seconds
        self._connections = Connections(url, max_connections)
        self._heads: dict[tuple[str, str], bytes] = {}

    async def aclose(self) -> None:
        """Close every connection, running answers included. Whoever asks from here on gets BackendUnavailable."""
        await self._connections.aclose()

    async def answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        clock: Clock,
        media_type: str = "",
        on_sent: Callable[[], None] = lambda: None,
    ) -> Answer:
        """The answer, once its status and headers are in order; the caller closes it. Raises BackendError.

        `on_sent` is called when the request is about to leave: until then it has cost nothing.
        """
        connection = await self._asked(self._request(method, path, body, headers), clock, on_sent)
        answer = Answer(self._name, self._connections, connection, clock)
        try:
            if connection.status != OK:
                reason = await answer.read(MAX_REFUSAL_BYTES)
                raise refusal(self._name, connection.status, connection.headers, reason)
            self._require_plain(connection.headers, media_type)
        except BaseException:
            answer.close()
            raise
        return answer

    async def _asked(self, request: bytes, clock: Clock, on_sent: Callable[[], None]) -> Connection:
        """A connection on which the answer has begun.

        One try, and one more on a new connection when the server had just closed the kept one. A new connection that
        breaks means a broken server, which may have begun to work.
        """
        connection = self._connections.kept() or await self._connected(clock)
        now = asyncio.get_running_loop().time
        written = now()
        on_sent()
        try:
            try:
                await connection.ask(request, clock)
            except Lost:
                if connection.heard or not connection.used or now() - written > JUST_CLOSED_S:
                    raise
                connection = await self._connected(clock, instead_of=connection)
                await connection.ask(request, clock)
        except Lost as error:
            self._connections.give(connection)
            raise lost(self._name, begun=False) from error
        except BaseException:
            self._connections.give(connection)
            raise
        return connection

    async def _connected(self, clock: Clock, instead_of: Connection | None = None) -> Connection:
        with connecting(self._name, self._connect_seconds, clock) as deadline:
            if instead_of is not None:
                return await self._connections.renew(instead_of, deadline)
            return await self._connections.take(deadline)

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if not lines.count("\r") == lines.count("\n") == len(headers) or "\0" in lines or not lines.isascii():
            raise BackendRejected(self._name, "a header of the request cannot be written as HTTP", 400)
        head = self._heads.get((method, path)) or self._head(method, path)
        if body is None:
            return b"%b%b\r\n" % (head, lines.encode())
        content = self._content(body)
        return b"%b%bcontent-length: %d\r\n\r\n%b" % (head, lines.encode(), len(content), content)

    def _head(self, method: str, path: str) -> bytes:
        """What all requests for `path` begin with, written once. A fault in the settings is told here, to who asks."""
        try:
            address = Address.parse(self._url)
        except ValueError as error:
            raise BackendUnavailable(self._name, str(error)) from error
        lines = [
            f"{method} {address.prefix}{path} HTTP/1.1",
            f"host: {address.authority}",
            "accept-encoding: identity",
            "content-type: application/json",
        ]
        if self._api_key:
            if not (self._api_key.isascii() and self._api_key.isprintable()):
                raise BackendUnavailable(self._name, "the backend's key has characters that no header may have")
            lines.append(f"authorization: Bearer {self._api_key}")
        head = self._heads[method, path] = "".join(f"{line}\r\n" for line in lines).encode()
        return head

    def _content(self, body: Mapping[str, Any]) -> bytes:
        try:
            return orjson.dumps(body)
        except TypeError as error:  # half of a surrogate pair, a number beyond 64 bits
            raise BackendRejected(self._name, "the request cannot be written as JSON", 400) from error

    def _require_plain(self, headers: Mapping[str, str], media_type: str) -> None:
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise BackendBroken(self._name, "the backend compressed its answer although it was asked not to")
        if not headers.get("content-type", "").lower().startswith(media_type):
            raise BackendBroken(self._name, f"the backend answered with something other than {media_type}")
