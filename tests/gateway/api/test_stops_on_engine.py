"""How a real vLLM stops, and what the gateway makes of it: buffered and streamed."""

import json
from typing import Any

import httpx2
import pytest

from gateway.stopping import Cause
from tests.gateway.api.conftest import Gateway

WINDOW = 4096
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
NAMED = {"type": "function", "function": {"name": "get_weather"}}
SCHEMA = {"type": "object", "properties": {"story": {"type": "string"}}, "required": ["story"]}
STRUCTURED = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
STOPS: dict[str, tuple[Cause, dict[str, Any]]] = {
    "stop": ("stop", {"structured_outputs": {"choice": ["yes", "no"]}}),
    "ceiling": ("ceiling", {"max_completion_tokens": 4, "ignore_eos": True}),
    "tool call cut": ("tool_cut", {"max_completion_tokens": 4, "tools": [WEATHER], "tool_choice": NAMED}),
    "grammar cut": ("ceiling", {"max_completion_tokens": 4, "response_format": STRUCTURED}),
}


def filling(engine: str, left: int) -> str:
    """A question that leaves so many tokens of the window, as the engine counts them."""

    def tokens(words: int) -> int:
        messages = [{"role": "user", "content": "a " * words}]
        body = {"model": "tiny", "messages": messages}
        return int(httpx2.post(f"{engine}/tokenize", json=body, trust_env=False).json()["count"])

    words = WINDOW - left - tokens(0)
    while (over := tokens(words) - (WINDOW - left)) > 0:
        words -= max(over // 2, 1)
    return "a " * words


def answered(real: Gateway, body: dict[str, Any], stream: bool) -> tuple[int, dict[str, Any]]:
    """The status, and the body or the last event of a stream."""
    asked = {"model": "small", "temperature": 0, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    answer = real.chat(asked | body)
    if not stream:
        return answer.status_code, answer.json()
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert (lines[-1] == "[DONE]") == ("error" not in lines[-1])
    return answer.status_code, json.loads([line for line in lines if line != "[DONE]"][-1])


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
@pytest.mark.parametrize(("cause", "body"), STOPS.values(), ids=STOPS)
def test_a_stop_has_its_cause(real: Gateway, cause: Cause, body: dict[str, Any], stream: bool) -> None:
    given = body | {"gateway": {"cache": "skip", "on_length": "return"}}
    status, told = answered(real, given, stream)
    assert (status, told["gateway"]["stop"]["cause"]) == (200, cause)
    assert told["gateway"]["stop"]["verdict"] == ("complete" if cause == "stop" else "truncated")
    if cause != "stop":
        refused = body | {"gateway": {"cache": "skip", "on_length": "error"}}
        status, told = answered(real, refused, stream)
        assert (status, told["error"]["code"]) == (200 if stream else 502, "output_truncated")


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
def test_a_full_window_is_told_from_a_ceiling(real: Gateway, engine: str, stream: bool) -> None:
    messages = [{"role": "user", "content": filling(engine, 8)}]
    body = {"messages": messages, "max_completion_tokens": 1000, "ignore_eos": True}
    status, told = answered(real, body | {"gateway": {"cache": "skip"}}, stream)
    assert (status, told["gateway"]["stop"]["cause"]) == (200, "window")
    status, told = answered(real, body | {"gateway": {"cache": "skip", "on_length": "error"}}, stream)
    assert told["error"]["code"] == "output_truncated"
    assert f"window of {WINDOW}" in told["error"]["message"]


def test_a_format_that_needs_more_than_the_ceiling_is_refused_before_the_engine_is_asked(real: Gateway) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 4000}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    status, told = answered(real, {"response_format": wanted, "max_completion_tokens": 5}, False)
    assert (status, told["error"]["code"], told["error"]["param"]) == (400, "invalid_value", "max_completion_tokens")
