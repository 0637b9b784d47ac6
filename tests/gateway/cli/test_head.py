"""What a connection may do before its request is there: over real sockets, on an application that says hello."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from gateway.cli import head
from gateway.cli.head import BoundedHead
from tests.gateway.waiting import waited

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n"
MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "version": b"GET / HTTP/9.9\r\n\r\n",
    "method": b"G\x00T / HTTP/1.1\r\n\r\n",
    "authority": b"CONNECT x:1 HTTP/1.1\r\n\r\n",
    "header": REQUEST + b"na me: x\r\n\r\n",
    "two lengths": REQUEST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
}


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Once the whole body is there."""
    request = Request(scope, receive, send)
    await request.body()
    await PlainTextResponse("hello")(scope, receive, send)


@contextmanager
def served() -> Iterator[int]:
    """The port of a server in a thread."""
    server = uvicorn.Server(uvicorn.Config(hello, http=BoundedHead, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    waited(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(head, "HEAD_S", 0.5)
    with served() as port:
        yield port


def said(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """All that comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause_s)
        answer = b""
        while more := connection.recv(4096):
            answer += more
    return answer


def test_who_says_nothing_is_left(port: int) -> None:
    assert said(port) == b""


@pytest.mark.parametrize("before", [b"", REQUEST + b"\r\n"], ids=["at once", "after an answer"])
def test_a_head_that_does_not_end_is_refused(port: int, before: bytes) -> None:
    answer = said(port, before, REQUEST, pause_s=0.1)
    assert answer.count(b"200 OK") == bool(before)
    assert b"408 Request Timeout" in answer
    assert b"headers_too_slow" in answer


def test_a_body_is_not_timed_here(port: int) -> None:
    slow = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n"
    assert said(port, slow, b"a", b"b", pause_s=0.4).endswith(b"hello")


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_http_is_refused_in_the_one_shape(port: int, sent: bytes) -> None:
    answer = said(port, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"malformed_http"' in answer
