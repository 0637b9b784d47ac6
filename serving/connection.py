"""Requests to one server as raw bytes, and every way in which HTTP can go wrong as a `serving.errors` error.

It knows nothing of chat: `serving.backend` gives the bytes their meaning.

Invariants: the host is the configured one (no proxies from the environment, no redirects); bytes are read raw, and a
compressed answer is refused (389 KB of gzip once unpacked to 400 MB); each wait has a deadline; an answer that is left
before its end closes its connection, which is how vLLM learns to stop working, and that closing cannot be cancelled.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
import orjson

from serving.deadlines import Clock
from serving.errors import BackendBroken, BackendRejected
from serving.failures import RESETS, refusal, translated

# vLLM is started with 120 s (VLLM_HTTP_TIMEOUT_KEEP_ALIVE); the client must let go first, or it meets closed sockets.
KEEPALIVE_SECONDS = 60.0
MAX_REFUSAL_BYTES = 64 * 1024


class Connection:
    """The pool of connections to `url`, called `name` in errors. `connect_seconds` bounds connecting and queueing."""

    def __init__(
        self, name: str, url: str, *, api_key: str | None, connect_seconds: float, max_connections: int
    ) -> None:
        self._name = name
        self._connect_seconds = connect_seconds
        self._closing: set[asyncio.Task[None]] = set()
        self._base = url.rstrip("/")
        self._targets: dict[str, httpx2.URL] = {}
        self._client = httpx2.AsyncClient(
            headers={"accept-encoding": "identity"} | ({"authorization": f"Bearer {api_key}"} if api_key else {}),
            # Reading and writing are bounded by the deadlines of each request, so only connecting is bounded here.
            timeout=httpx2.Timeout(None, connect=connect_seconds, pool=connect_seconds),
            limits=httpx2.Limits(
                max_connections=max_connections,
                max_keepalive_connections=max_connections,
                keepalive_expiry=KEEPALIVE_SECONDS,
            ),
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close every connection, running answers included."""
        await self._client.aclose()

    @asynccontextmanager
    async def answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        clock: Clock,
        media_type: str = "",
    ) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """The raw bytes of an answer whose status and headers are in order; closed whatever happens."""
        response = await self._send(method, path, self._content(body), headers, clock)
        pieces = response.aiter_raw()
        try:
            if response.status_code != httpx2.codes.OK:
                reason = await self.read(pieces, clock, MAX_REFUSAL_BYTES)
                raise refusal(self._name, response.status_code, response.headers, reason)
            self._require_plain(response.headers, media_type)
            yield pieces
        finally:
            await self._close(response, pieces)

    async def read(self, pieces: AsyncGenerator[bytes, None], clock: Clock, limit: int) -> bytes:
        """The whole answer, or a little more than its first `limit` bytes."""
        read = bytearray()
        while len(read) <= limit and (piece := await self.piece(pieces, clock)):
            read += piece
        return bytes(read)

    async def piece(self, pieces: AsyncGenerator[bytes, None], clock: Clock) -> bytes:
        """The next bytes of the answer, empty at its end."""
        with translated(self._name, self._connect_seconds, started=True):
            async with clock.limit():
                return await anext(pieces, b"")

    def _content(self, body: Mapping[str, Any] | None) -> bytes | None:
        try:
            return None if body is None else orjson.dumps(body)
        except TypeError as error:  # half of a surrogate pair, a number beyond 64 bits
            raise BackendRejected(self._name, "the request cannot be written as JSON", 400) from error

    def _require_plain(self, headers: Mapping[str, str], media_type: str) -> None:
        encoding = headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise BackendBroken(self._name, "the backend compressed its answer although it was asked not to")
        if not headers.get("content-type", "").startswith(media_type):
            raise BackendBroken(self._name, f"the backend answered with something other than {media_type}")

    async def _send(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str], clock: Clock
    ) -> httpx2.Response:
        """One try, and one more when it went over a kept-alive connection that the server had just closed."""
        opened: list[str] = []

        async def trace(event: str, _: object) -> None:
            if event.startswith("connection.connect_"):
                opened.append(event)

        async def once() -> httpx2.Response:
            request = self._client.build_request(
                method,
                self._target(path),
                content=content,
                headers={"content-type": "application/json", **headers},
                extensions={"trace": trace},
            )
            async with clock.limit():
                return await self._client.send(request, stream=True)

        with translated(self._name, self._connect_seconds):
            try:
                return await once()
            except RESETS:
                if opened:  # a new connection that breaks means a broken server, which may have begun to work
                    raise
            return await once()

    def _target(self, path: str) -> httpx2.URL:
        """The URL of `path`, parsed once: parsing it cost a twelfth of the CPU time of a request."""
        if path not in self._targets:
            self._targets[path] = httpx2.URL(f"{self._base}{path}")
        return self._targets[path]

    async def _close(self, response: httpx2.Response, pieces: AsyncGenerator[bytes, None]) -> None:
        """Close the connection unless the answer was read to its end; goes on when this task is cancelled meanwhile."""

        async def close() -> None:
            with suppress(httpx2.HTTPError):
                await pieces.aclose()
                await response.aclose()

        closing = asyncio.create_task(close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        await asyncio.shield(closing)
