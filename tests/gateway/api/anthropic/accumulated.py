"""A stream of Anthropic's events put together as its clients do, and more strictly: wrong order is an error."""

from typing import Any

import orjson

PARTS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def events(stream: bytes) -> list[dict[str, Any]]:
    """The events, each of which must have its type as its name. Comments are skipped."""
    read = []
    for block in stream.decode().split("\n\n"):
        if block and not block.startswith(":"):
            name, data = block.split("\n")
            event = orjson.loads(data.removeprefix("data: "))
            assert name == f"event: {event['type']}"
            read.append(event)
    return read


def accumulated(stream: bytes) -> dict[str, Any]:
    """The Message that a whole stream says."""
    start, *blocks, delta, stop = events(stream)
    assert (start["type"], delta["type"], stop["type"]) == ("message_start", "message_delta", "message_stop")
    message = start["message"] | delta["delta"] | {"usage": delta["usage"], "gateway": delta["gateway"]}
    message["content"], opened = [], None
    for event in blocks:
        opened = _step(message["content"], event, opened)
    assert opened is None
    return {**message, "content": [_parsed(block) for block in message["content"]]}


def _step(content: list[dict[str, Any]], event: dict[str, Any], opened: int | None) -> int | None:
    """The index of the block that is open after the event."""
    if event["type"] == "content_block_start":
        assert opened is None
        assert event["index"] == len(content)
        content.append(event["content_block"])
        return len(content) - 1
    assert event["index"] == opened
    if event["type"] == "content_block_stop":
        return None
    assert event["type"] == "content_block_delta"
    _add(content[-1], event["delta"])
    return opened


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    if delta["type"] == "signature_delta":
        block["signature"] = delta["signature"]
    else:
        part = PARTS[delta["type"]]
        assert delta[part]
        block[part] = block.get(part, "") + delta[part]


def _parsed(block: dict[str, Any]) -> dict[str, Any]:
    given = block.pop("partial_json", None)
    return block | {"input": orjson.loads(given)} if given else block
