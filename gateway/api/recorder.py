"""An answer as it was sent, remembered while it is sent, for whoever keeps it under an `Idempotency-Key`.

Knows neither the key nor the store. Invariant: an answer is handed over before its last byte is sent.
"""

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.types import Message, Send

from gateway.errors import NotKept
from gateway.replays import PARAM

# Of one kept body: a streamed token takes about 300 bytes, so this is 14,000 of them. The 512 requests that a server
# answers at once by default hold 2 GiB at the very most while they are recorded.
KEPT_BYTES = 4 * 1024 * 1024
Kept = tuple[int, str, bytes]  # status, content type, body


class Recorder:
    """A `send` that remembers what passes, and hands it to `keep` before its end passes; what is too large to keep is
    a failure, `rendered`.
    """

    def __init__(
        self, send: Send, keep: Callable[[int, str, bytes], Awaitable[None]], rendered: Callable[[BaseException], Kept]
    ) -> None:
        self._send, self._keep, self._rendered = send, keep, rendered
        self._status, self._content_type = 0, ""
        self._body, self._size = bytearray(), 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._content_type = message["status"], Headers(raw=message["headers"])["content-type"]
        else:
            self._add(message["body"])
            if not message.get("more_body", False):
                await self._keep(*self._recorded())
        await self._send(message)

    def _add(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= KEPT_BYTES:
            self._body += body
        else:
            self._body.clear()

    def _recorded(self) -> Kept:
        if self._size <= KEPT_BYTES:
            return self._status, self._content_type, bytes(self._body)
        return self._rendered(
            NotKept(
                f"The answer under this Idempotency-Key was sent once and is not kept: it has {self._size} bytes, and "
                f"at most {KEPT_BYTES} are. Ask again under a new key, and pay again.",
                param=PARAM,
            )
        )
