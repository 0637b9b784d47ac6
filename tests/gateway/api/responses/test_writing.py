"""The response object and its stream, byte by byte, and as the openai package types them."""

from pathlib import Path

import pytest

from gateway.api.responses.writing import ResponseWriter
from gateway.errors import OutputTruncated, Overloaded, Wire
from tests.fakes.said import called, said
from tests.gateway.api.responses.answers import streamed, whole
from tests.gateway.api.responses.typed import EVENTS, events, response

GOLDEN = Path(__file__).parent / "golden"
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object"}}
STREAMS = {
    "text": (said("Hello", " world"), {"model": "small", "input": "Hi", "instructions": "Be brief.", "store": True}),
    "call": (called("look", '{"x": true}'), {"model": "small", "input": "Hi", "tools": [TOOL], "temperature": 0}),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_in_full(name: str) -> None:
    steps, asked = STREAMS[name]
    stream = streamed(steps, asked)
    assert events(stream)
    assert stream.decode() == (GOLDEN / f"{name}.sse").read_text()


def test_a_whole_response_is_of_its_type() -> None:
    body = whole(said("Hello", " world"))
    typed = response(body)
    assert (typed.id, typed.output_text, typed.status) == ("resp_req_1", "Hello world", "completed")
    assert (typed.error, typed.incomplete_details) == (None, None)
    assert typed.usage
    assert typed.usage.total_tokens == typed.usage.input_tokens + typed.usage.output_tokens == 15
    assert body["gateway"] == {"request_id": "req_1"}


def test_what_was_asked_is_told_again_and_what_was_not_has_its_default() -> None:
    asked = {"temperature": 0, "metadata": {"a": "b"}, "tools": [TOOL]}
    body = whole(said("Hi"), {**asked, "tool_choice": None, "store": True, "seed": 7})
    assert {name: body[name] for name in asked} == asked
    assert (body["tool_choice"], body["top_p"], body["store"]) == ("auto", None, False)
    assert "seed" not in body


def test_a_failure_is_one_event_that_clients_raise_for() -> None:
    wire = Wire.of(Overloaded("Full."), "req_1")
    writer = ResponseWriter("req_1", {})
    (event,) = events(writer.failure(wire))
    assert event == {
        "type": "error",
        "code": "overloaded",
        "message": "Full.",
        "param": None,
        "error": wire.body()["error"],
        "sequence_number": 0,
    }
    assert set(EVENTS["error"].model_fields) <= event.keys()


def test_a_failure_speaks_of_this_apis_fields() -> None:
    error = OutputTruncated("Raise max_completion_tokens.", param="max_completion_tokens")
    (event,) = events(ResponseWriter("req_1", {}).failure(Wire.of(error, "req_1")))
    assert (event["param"], event["message"]) == ("max_output_tokens", "Raise max_output_tokens.")
