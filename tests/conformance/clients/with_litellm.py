"""LiteLLM's package as a client, by its provider for whatever speaks OpenAI's API."""

import asyncio
import os
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # read at import: it would fetch its prices otherwise

import litellm

from tests.conformance.clients.report import BASE_URL, KEY, KEYS, LONG, ask, case, raised, report
from tests.conformance.clients.weather import TOOL


def complete(script: str, name: str = "", **fields: Any) -> Any:
    asked = {"model": "openai/small", "api_base": BASE_URL, "api_key": KEY, "max_retries": 0, "timeout": 120}
    # Where there are tools, 1.106 imports its proxy, which needs packages that it does not ask for.
    return litellm.completion(**asked | {"messages": ask(script, name), "_skip_mcp_handler": True} | fields)


@case
def buffered() -> Any:
    said = complete("hello")
    choice = said.choices[0]
    return [choice.message.content, choice.finish_reason, said.usage.completion_tokens]


@case
def streamed() -> Any:
    chunks = list(complete("hello", stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    return [text, [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason]]


@case
def streamed_with_usage() -> Any:
    chunks = list(complete("hello", stream=True, stream_options={"include_usage": True}))
    rebuilt: Any = litellm.stream_chunk_builder(chunks)
    return [rebuilt.choices[0].message.content, rebuilt.usage.completion_tokens]


@case
def asynchronous() -> Any:
    async def run() -> Any:
        fields = {"model": "openai/small", "api_base": BASE_URL, "api_key": KEY, "messages": ask("hello")}
        return (await litellm.acompletion(**fields)).choices[0].message.content

    return asyncio.run(run())


@case
def tools() -> Any:
    calls = complete("tools", tools=[TOOL]).choices[0].message.tool_calls
    return [[call.id, call.function.name, call.function.arguments] for call in calls]


@case
def streamed_tools() -> Any:
    rebuilt: Any = litellm.stream_chunk_builder(list(complete("tools", tools=[TOOL], stream=True)))
    return [[call.id, call.function.name, call.function.arguments] for call in rebuilt.choices[0].message.tool_calls]


@case
def tool_round() -> Any:
    message = complete("tools", tools=[TOOL]).choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": "21"} for call in message.tool_calls]
    said = complete("hello", messages=[*ask("tools"), message, *results, *ask("hello")], tools=[TOOL])
    return said.choices[0].message.content


@case
def reasoning() -> Any:
    message = complete("reason").choices[0].message
    return [message.reasoning_content, message.content]


@case
def embedded() -> Any:
    said: Any = litellm.embedding(model="openai/vectors", input=["a"], api_base=BASE_URL, api_key=KEY)
    return said.data[0]["embedding"]


@case
def unauthenticated() -> Any:
    return raised(lambda: complete("hello", api_key=KEYS["wrong"]))


@case
def unknown_model() -> Any:
    return raised(lambda: complete("hello", model="openai/absent"))


@case
def too_long() -> Any:
    return raised(lambda: complete("hello", LONG, model="openai/tiny"))


@case
def backend_down() -> Any:
    return raised(lambda: complete("down"))


@case
def retried() -> Any:
    return complete("hiccup", "hiccup", max_retries=2).choices[0].message.content


if __name__ == "__main__":
    report()
