"""Chat completions by OpenAI's package, answered by the real engine."""

from typing import Any

from openai import pydantic_function_tool
from pydantic import BaseModel

from tests.conformance.clients.openai_chat import client, create, text_of
from tests.conformance.clients.report import ask, case, raised

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SAYS: dict[str, Any] = {"model": "tiny", "max_tokens": 8, "temperature": 0, "messages": ask("Count to ten")}


@case
def engine_buffered() -> Any:
    said = create(**SAYS)
    return [bool(said.choices[0].message.content), said.choices[0].finish_reason, said.usage.completion_tokens]


@case
def engine_streams_the_same() -> Any:
    return create(**SAYS).choices[0].message.content == text_of(list(create(**SAYS, stream=True)))


@case
def engine_stops_at_a_string() -> Any:
    whole = create(**SAYS).choices[0].message.content
    stop = whole[len(whole) // 2 :][:2]
    choice = create(**SAYS, stop=[stop]).choices[0]
    return [choice.finish_reason, choice.message.content == whole[: whole.index(stop)]]


@case
def engine_logprobs() -> Any:
    content = create(**SAYS, logprobs=True, top_logprobs=3).choices[0].logprobs.content
    return [[len(token.top_logprobs), token.logprob <= 0] for token in content]


@case
def engine_two_choices() -> Any:
    said = create(**SAYS | {"temperature": 1}, n=2, seed=7)
    return [[choice.index for choice in said.choices], 2 <= said.usage.completion_tokens <= 16]


class Switch(BaseModel):
    """Nothing in it may go on for ever, so that a small model ends it."""

    on: bool


@case
def engine_parsed() -> Any:
    asked = SAYS | {"max_tokens": 60}
    said = client.chat.completions.parse(**asked, response_format=Switch)
    value = said.choices[0].message.parsed
    return value is not None and isinstance(value.on, bool)


@case
def engine_named_tool() -> Any:
    fields = {"tools": [pydantic_function_tool(Switch)], "max_tokens": 60}
    named = {"type": "function", "function": {"name": "Switch"}}
    (call,) = create(**SAYS | fields, tool_choice=named).choices[0].message.tool_calls
    return [call.function.name, call.function.arguments[:1]]  # a small model may go on with spaces until it is cut


@case
def engine_sees_no_images() -> Any:
    """A data URL is taken; this model is not one that sees it."""
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    asked = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]
    return raised(lambda: create(**SAYS | {"messages": asked}))
