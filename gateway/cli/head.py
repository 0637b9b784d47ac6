"""uvicorn's HTTP parser with bounds on the head of a request, of which it has none: how large, and how slow; and with
refusals in the one shape of errors.

Knows no route. Invariant: a connection that sends nothing, or a head that does not come to its end, is closed in time;
what is behind the head is bounded elsewhere (`gateway.api.intake`).
"""

import asyncio

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Request line and headers together, as much as nginx takes at most by default. One read may lie beyond it.
MAX_HEAD_BYTES = 32 * 1024
HEAD_S = 20.0  # from the connection or the head's first byte to its last: a third of nginx's client_header_timeout


def _refusal(status: str, code: str, message: str) -> bytes:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    body = orjson.dumps({"error": error})
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


# RFC 6585 section 5, RFC 9110 section 15.5.9.
TOO_LARGE = _refusal(
    "431 Request Header Fields Too Large",
    "headers_too_large",
    f"The request line and the headers are larger than {MAX_HEAD_BYTES} bytes; send less.",
)
TOO_SLOW = _refusal(
    "408 Request Timeout", "headers_too_slow", f"The request line and the headers did not arrive within {HEAD_S:g} s."
)
MALFORMED = _refusal("400 Bad Request", "malformed_http", "This is not an HTTP/1.1 request.")


class BoundedHead(HttpToolsProtocol):
    """One connection."""

    _head: int | None = None  # bytes of an unfinished head, without those of the read it began in
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0
        if self._deadline is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        self._head = None
        self._expect_nothing()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        continued = self._head is not None
        super().data_received(data)
        if self._head is None or not continued or self.transport.is_closing():
            return
        self._head += len(data)
        if self._head > MAX_HEAD_BYTES:
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        self.transport.write(MALFORMED)
        self.transport.close()

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_S, self._late)

    def _expect_nothing(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        if not self.transport.is_closing():
            if self._head is not None:  # it has begun to ask; who said nothing is told nothing
                self.transport.write(TOO_SLOW)
            self.transport.close()
