"""Anthropic's package against the gateway's Messages API."""

import asyncio
from typing import Any

from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message
from pydantic import BaseModel

from tests.conformance.clients.report import (
    ACCESS,
    KEY,
    KEYS,
    REFUSALS,
    ask,
    case,
    declare_refusals,
    one_too_many,
    raised,
    report,
)
from tests.conformance.clients.weather import FUNCTION, PARAMETERS

TOOL: Any = {
    "name": FUNCTION["name"],
    "description": FUNCTION["description"],
    "input_schema": PARAMETERS,
}

client = Anthropic(base_url=ACCESS["url"], api_key=KEY, max_retries=0, timeout=120)


def say(script: str, name: str = "", **fields: Any) -> Any:
    return client.messages.create(**asked(script, name, **fields))


def asked(script: str, name: str = "", **fields: Any) -> Any:
    return {"model": "small", "max_tokens": 64, "messages": ask(script, name)} | fields


def called(content: Any) -> Any:
    return [[block.id, block.name, block.input] for block in content if block.type == "tool_use"]


@case
def message() -> Any:
    said = say("hello", system="Be brief.")
    usage = [said.usage.input_tokens > 0, said.usage.output_tokens]
    return [said.type, said.role, [block.type for block in said.content], said.content[0].text, said.stop_reason, usage]


@case
def streamed() -> Any:
    with client.messages.stream(**asked("hello")) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    return [text, final.content[0].text, final.stop_reason, final.usage.output_tokens]


@case
def events() -> Any:
    kinds = [event.type for event in say("hello", stream=True)]
    return [kinds[0], kinds[-1], kinds.count("content_block_start"), kinds.count("content_block_stop")]


@case
def same_text_whatever_the_characters() -> Any:
    with client.messages.stream(**asked("hard")) as stream:
        return "".join(stream.text_stream)


@case
def asynchronous() -> Any:
    async def run() -> Any:
        async with AsyncAnthropic(base_url=ACCESS["url"], api_key=KEY, max_retries=0, timeout=120) as many:
            said = await many.messages.create(**asked("hello"))
            async with many.messages.stream(**asked("hello")) as stream:
                return [said.content[0].text, "".join([text async for text in stream.text_stream])]

    return asyncio.run(run())


@case
def bearer() -> Any:
    """The package sends a token as `Authorization: Bearer`, a key as `x-api-key`."""
    with_token = Anthropic(base_url=ACCESS["url"], auth_token=KEY, max_retries=0)
    said: Any = with_token.messages.create(**asked("hello"))
    return said.content[0].text


@case
def tools() -> Any:
    said = say("tools", tools=[TOOL])
    return [called(said.content), said.stop_reason]


@case
def streamed_tools() -> Any:
    with client.messages.stream(**asked("tools", tools=[TOOL])) as stream:
        return called(stream.get_final_message().content)


@case
def tool_round() -> Any:
    said = say("tools", tools=[TOOL])
    uses = [block for block in said.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": use.id, "content": "21"} for use in uses]
    turns = [*ask("tools"), {"role": "assistant", "content": said.content}, {"role": "user", "content": results}]
    return say("tools", messages=turns, tools=[TOOL]).content[0].text


@case
def thinking() -> Any:
    said = say("reason")
    return [[block.type for block in said.content], said.content[0].thinking, said.content[1].text]


@case
def cut() -> Any:
    return say("cut").stop_reason


@case
def counted() -> Any:
    count = client.messages.count_tokens(model="small", messages=ask("hello")).input_tokens
    usage = say("hello").usage
    return count == usage.input_tokens


@case
def engine_stop_sequence() -> Any:
    fields: Any = {"model": "tiny", "max_tokens": 8, "messages": ask("Count"), "extra_body": {"temperature": 0}}
    whole: Any = client.messages.create(**fields)
    text = whole.content[0].text
    stop = text[len(text) // 2 :][:2]
    said: Any = client.messages.create(**fields, stop_sequences=[stop])
    return [whole.stop_reason, said.stop_reason, said.stop_sequence == stop]


@case
def engine_count_is_the_usage() -> Any:
    fields = {"model": "tiny", "messages": ask("Count"), "system": "Be brief.", "tools": [TOOL]}
    count = client.messages.count_tokens(**fields).input_tokens
    usage: Any = client.messages.create(**fields, max_tokens=1).usage
    return count == usage.input_tokens + (usage.cache_read_input_tokens or 0)


def unknown(value: Any, path: str = "") -> list[str]:
    """Where a typed value has fields that its type does not know."""
    if isinstance(value, list):
        return sorted({found for one in value for found in unknown(one, path)})
    if not isinstance(value, BaseModel):
        return []
    inner = [found for name in type(value).model_fields for found in unknown(getattr(value, name), f"{path}{name}.")]
    return sorted([*(f"{path}{name}" for name in value.model_extra or ()), *inner])


@case
def strict() -> Any:
    """Every kind of answer as the package's types have it."""
    found = {}
    for script in ("hello", "tools", "reason", "cut"):
        raw = client.messages.with_raw_response.create(**asked(script, tools=[TOOL]))
        found[script] = unknown(Message.model_validate_json(raw.http_response.text, strict=True))
    return found


@case
def headers() -> Any:
    raw = client.messages.with_raw_response.create(**asked("hello"))
    parsed: Any = raw.parse()
    return [raw.headers["request-id"].startswith("req_"), parsed._request_id == raw.headers["request-id"]]


def asking(key: str, **fields: Any) -> Any:
    return client.with_options(api_key=key).messages.create(**asked("hello", **fields))


declare_refusals(asking, REFUSALS)


@case
def rate_limited() -> Any:
    return one_too_many(lambda: asking(KEYS["hasty"]))


@case
def stream_breaks() -> Any:
    seen: list[str] = []

    def read() -> None:
        with client.messages.stream(**asked("reset-late")) as stream:
            seen.extend(stream.text_stream)

    return raised(read) | {"text": "".join(seen)}


@case
def retried() -> Any:
    patient: Any = client.with_options(max_retries=2)
    return patient.messages.create(**asked("hiccup", "hiccup")).content[0].text


@case
def not_retried() -> Any:
    patient: Any = client.with_options(max_retries=2)
    return raised(lambda: patient.messages.create(**asked("refused", "refused")))


if __name__ == "__main__":
    report()
