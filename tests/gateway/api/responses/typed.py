"""Responses and their events as the openai package types them, but strictly: what it reads leniently must be exact."""

from collections.abc import Sequence
from typing import Any, cast, get_args

import orjson
from openai._models import BaseModel
from openai.types.responses import Response, ResponseStreamEvent

_UNION = get_args(get_args(ResponseStreamEvent)[0])
EVENTS: dict[str, type[BaseModel]] = {get_args(cls.model_fields["type"].annotation)[0]: cls for cls in _UNION}


def response(body: Any) -> Response:
    return Response.model_validate(body, strict=True)


def events(stream: bytes) -> list[dict[str, Any]]:
    """The events of a whole stream, each of its type and in its place."""
    blocks = [block for block in stream.split(b"\n\n") if block and not block.startswith(b":")]
    read = [_event(*block.split(b"\n")) for block in blocks]
    assert [event["sequence_number"] for event in read] == list(range(len(read)))
    return read


def _event(name: bytes, data: bytes) -> dict[str, Any]:
    event = cast(dict[str, Any], orjson.loads(data.removeprefix(b"data: ")))
    assert name.decode() == f"event: {event['type']}"
    EVENTS[event["type"]].model_validate(event, strict=True)
    return event


def told(stream: Sequence[dict[str, Any]]) -> list[str]:
    """The types of the events, without what all begin with."""
    return [event["type"].removeprefix("response.") for event in stream]
