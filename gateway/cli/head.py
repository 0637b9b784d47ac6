"""uvicorn's HTTP parser with bounds on the head of a request, of which it has none: how large, and how slow; and with
refusals in the one shape of errors. Other protocols that a client offers (h2c, WebSocket) are declined by answering in
HTTP/1.1 (RFC 9110, section 7.8).

Knows no route. Invariants: a connection that sends nothing, or a head that does not come to its end, is closed in time;
what is behind the head is bounded elsewhere (`gateway.api.intake`). No refusal is written into another's answer.
"""

import asyncio
from typing import Any

import httptools
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


class Parser(httptools.HttpRequestParser):
    """It takes a head that offers another protocol for the end of HTTP; `rest` is then what it has not read."""

    rest: bytes | None = None

    def feed_data(self, data: bytes) -> None:  # type: ignore[override] # uvicorn feeds bytes only
        try:
            super().feed_data(data)
        except httptools.HttpParserUpgrade as end:
            self.rest = data[end.args[0] :]


class BoundedHead(HttpToolsProtocol):
    """One connection."""

    parser: Parser
    _head: int | None = None  # bytes of an unfinished head, without those of the read it began in
    _deadline: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._renew_parser()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ValueError("this is no proxy")  # the parser's fault then, so a refusal
            return  # it is read again, without the offer
        self._head = None
        self._expect_nothing()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        continued = self._head is not None
        super().data_received(data)
        while (rest := self.parser.rest) is not None:
            head = self._head_without_offer()
            self._renew_parser()
            super().data_received(head + rest)
        if self._head is None or self.transport.is_closing():
            return
        if self._deadline is None:  # most heads come whole, and need none
            self._expect_head()
        if continued:
            self._head += len(data)
        if self._head > MAX_HEAD_BYTES:
            self._refuse(TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        self._refuse(MALFORMED)

    def _renew_parser(self) -> None:
        self.parser = Parser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it

    def _head_without_offer(self) -> bytes:
        """The head that was just read, but for its Upgrade."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _refuse(self, refusal: bytes) -> None:
        """Close, and say why unless an answer has begun: it would be taken for a part of that."""
        if not self._answering():
            self.transport.write(refusal)
        self.transport.close()

    def _answering(self) -> bool:
        last = self.cycle  # one that waits in the pipeline waits for an answer's end
        return bool(self.pipeline) or (last is not None and last.response_started and not last.response_complete)

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_S, self._late)

    def _expect_nothing(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        if not self.transport.is_closing():
            if self._head is not None:  # it has begun to ask; who said nothing is told nothing
                self._refuse(TOO_SLOW)
            self.transport.close()
