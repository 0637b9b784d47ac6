"""Server-sent events as bytes: lines that stay whole, failures, comments."""

import asyncio

import httpx2
import orjson

from gateway.api.sse import DONE, KEEP_ALIVE, event, failure
from gateway.errors import Overloaded, Wire
from serving.decode import Decoder

BREAKS = "\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e\r\n"


def test_httpx_reads_the_lines_that_were_sent() -> None:
    async def lines() -> list[str]:
        response = httpx2.Response(200, content=event({"text": BREAKS}))
        return [line async for line in response.aiter_lines()]

    data, blank = asyncio.run(lines())
    assert orjson.loads(data.removeprefix("data: ")) == {"text": BREAKS}
    assert blank == ""


def test_an_event_may_have_a_name() -> None:
    assert event({"a": 1}, "message_stop") == b'event: message_stop\ndata: {"a":1}\n\n'
    assert event({"a": 1}) == b'data: {"a":1}\n\n'


def test_a_failure_is_one_event_without_an_end_marker() -> None:
    wire = Wire.of(Overloaded("Full.\n\ndata: [DONE]"), "req_1")
    assert [orjson.loads(payload) for payload in Decoder().feed(failure(wire))] == [wire.body()]
    assert DONE not in failure(wire)


def test_a_keep_alive_is_no_event() -> None:
    assert Decoder().feed(KEEP_ALIVE) == []
