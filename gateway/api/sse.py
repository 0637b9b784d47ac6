"""Server-sent events as bytes (the HTML standard, 9.2.6). Knows neither an API's events nor a socket."""

from typing import Any

import orjson

from gateway.errors import Wire

KEEP_ALIVE = b": keep-alive\n\n"  # a comment: parsers skip it, proxies see life
DONE = b"data: [DONE]\n\n"

# Line breaks to Unicode, but not to this format. JSON may escape them, and then clients that split lines by Unicode's
# rules (httpx's aiter_lines, str.splitlines) read the stream as well.
_BREAKS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


def line(value: Any) -> bytes:
    """`value` as JSON on one line, by anyone's idea of a line."""
    data = orjson.dumps(value, default=dict)
    if data.isascii():
        return data
    for raw, escaped in _BREAKS:
        data = data.replace(raw, escaped)
    return data


def event(value: Any, name: str | None = None) -> bytes:
    """One event with `value` as its data; `name` is its type, if it has one."""
    begin = b"event: %b\ndata: " % name.encode() if name else b"data: "
    return begin + line(value) + b"\n\n"


def failure(wire: Wire) -> bytes:
    """The last event of a stream that broke."""
    return event(wire.body())
