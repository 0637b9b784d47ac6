"""Messages on a real vLLM: a count is what the request is billed for, and what the engine says becomes blocks."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.gateway.api.anthropic.accumulated import accumulated
from tests.gateway.api.conftest import Gateway

HI = [{"role": "user", "content": "How is the weather in Rome?"}]
SCHEMA = {
    "type": "object",
    "properties": {"sunny": {"type": "boolean"}},
    "required": ["sunny"],
    "additionalProperties": False,
}
TOOL = {"name": "look", "description": "Looks.", "input_schema": SCHEMA, "strict": True}
CALL = {"type": "tool_use", "id": "t1", "name": "look", "input": {"sunny": True}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "sun"}] * 2}
HISTORY = [
    *HI,
    {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "x"}, CALL]},
    {"role": "user", "content": [RESULT, {"type": "text", "text": "And?"}]},
]
REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "system": {"system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "日本語"}]},
    "tools": {"tools": [TOOL], "tool_choice": {"type": "auto"}},
    "history": {"messages": HISTORY, "tools": [TOOL]},
    "an instruction amid": {"messages": [*HISTORY, {"role": "system", "content": "Be brief."}]},
    "an empty answer": {"messages": [*HI, {"role": "assistant", "content": []}, *HI]},
    "thinking off": {"thinking": {"type": "disabled"}},
}


@pytest.fixture(scope="module")
def client(real: Gateway) -> Iterator[httpx2.Client]:
    """One with a key."""
    with httpx2.Client(base_url=real.url, timeout=60, headers={"x-api-key": real.key()}) as http:
        yield http


def asked(client: httpx2.Client, path: str = "/v1/messages", **body: Any) -> httpx2.Response:
    answer = client.post(path, json={"model": "small", "messages": HI} | body)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_count_is_what_is_billed(client: httpx2.Client, request_: dict[str, Any]) -> None:
    counted = asked(client, "/v1/messages/count_tokens", **request_).json()
    usage = asked(client, max_tokens=1, **request_).json()["usage"]
    assert counted["gateway"]["tokens"]["source"] == "exact"
    assert usage["input_tokens"] + usage["cache_read_input_tokens"] == counted["input_tokens"]


def test_a_forced_call_is_said_alike_whole_and_streamed(client: httpx2.Client) -> None:
    forced: dict[str, Any] = {"tools": [TOOL], "tool_choice": {"type": "any"}, "temperature": 0, "max_tokens": 200}
    whole = asked(client, **forced).json()
    streamed = accumulated(asked(client, **forced, stream=True).content)
    for message in (whole, streamed):
        (block,) = message["content"]
        assert (block["type"], block["name"], message["stop_reason"]) == ("tool_use", "look", "tool_use")
        assert isinstance(block["input"]["sunny"], bool)


def test_a_stop_sequence_is_named(client: httpx2.Client) -> None:
    answer = asked(client, max_tokens=64, temperature=0, stop_sequences=["e", "a"]).json()
    assert answer["stop_reason"] == "stop_sequence"
    assert answer["stop_sequence"] in ("e", "a")


def test_a_schema_is_kept_to(client: httpx2.Client) -> None:
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    (block,) = asked(client, max_tokens=64, output_config=form).json()["content"]
    assert block["text"].replace(" ", "") in ('{"sunny":true}', '{"sunny":false}')
