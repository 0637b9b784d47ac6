"""Responses on a real vLLM: what it says as a chat, it says as a response."""

from typing import Any

from pydantic import BaseModel

from tests.gateway.api.conftest import Gateway
from tests.gateway.api.responses.typed import events, response

SKIP = {"gateway": {"cache": "skip"}}
ASKED: dict[str, Any] = {"model": "small", "input": "Why stream an answer?", "temperature": 0, "max_output_tokens": 12}
PARAMETERS = {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}
TOOL: Any = {
    "type": "function",
    "name": "f",
    "parameters": PARAMETERS | {"additionalProperties": False},
    "strict": True,
}


class Switch(BaseModel):
    on: bool


def test_a_chat_a_response_and_its_stream_say_the_same(real: Gateway) -> None:
    key = {"authorization": f"Bearer {real.key()}"}
    chat = {name: ASKED[name] for name in ("model", "temperature")} | SKIP
    chat |= {"messages": [{"role": "user", "content": ASKED["input"]}], "max_completion_tokens": 12}
    expected = real.http.post("/v1/chat/completions", json=chat, headers=key).json()
    logprobs = {"top_logprobs": 2, **SKIP}
    whole = response(real.http.post("/v1/responses", json=ASKED | logprobs, headers=key).json())
    stream = events(real.http.post("/v1/responses", json=ASKED | logprobs | {"stream": True}, headers=key).content)
    choice, usage = expected["choices"][0], expected["usage"]
    assert whole.output_text == choice["message"]["content"]
    assert whole.status == ("incomplete" if choice["finish_reason"] == "length" else "completed")
    assert whole.usage
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (
        usage["prompt_tokens"], usage["completion_tokens"],
    )  # fmt: skip
    assert response(stream[-1]["response"]).output_text == whole.output_text
    deltas = [event for event in stream if event["type"] == "response.output_text.delta"]
    assert "".join(event["delta"] for event in deltas) == whole.output_text
    assert {len(entry["top_logprobs"]) for event in deltas for entry in event["logprobs"]} == {2}


def test_a_call_and_an_answer_to_its_output(real: Gateway) -> None:
    client = real.openai()
    asked: Any = [{"role": "user", "content": "Hello"}]
    choice: Any = {"type": "function", "name": "f"}
    first = client.responses.create(
        **ASKED | {"max_output_tokens": 60, "input": asked}, tools=[TOOL], tool_choice=choice
    )
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert call.name == "f"
    good = call.model_copy(update={"arguments": '{"x": true}'})  # so small a model may have written anything
    asked += [good, {"type": "function_call_output", "call_id": call.call_id, "output": "done"}]
    second = client.responses.create(**ASKED | {"input": asked}, tools=[TOOL], tool_choice="none")
    assert second.usage
    assert first.usage
    assert second.usage.input_tokens > first.usage.input_tokens


def test_a_parsed_answer(real: Gateway) -> None:
    answer = real.openai().responses.parse(**ASKED | {"max_output_tokens": 60}, text_format=Switch)
    assert isinstance(answer.output_parsed, Switch)
