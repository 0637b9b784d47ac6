"""LlamaIndex's package for servers that speak OpenAI's API."""

import asyncio
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

from tests.conformance.clients.report import BASE_URL, KEY, ask, case, report
from tests.conformance.clients.weather import Weather


def weather(city: str) -> str:
    """The weather of a city."""
    return city


TOOL = FunctionTool.from_defaults(weather)

model: Any = OpenAILike(
    model="small",
    api_base=BASE_URL,
    api_key=KEY,
    is_chat_model=True,
    is_function_calling_model=True,
    max_retries=0,
    timeout=120,
)


def say(script: str) -> list[Any]:
    return [ChatMessage(**ask(script)[0])]


@case
def chatted() -> Any:
    return model.chat(say("hello")).message.content


@case
def streamed() -> Any:
    return "".join(piece.delta for piece in model.stream_chat(say("hello")))


@case
def asynchronous() -> Any:
    async def run() -> Any:
        return (await model.achat(say("hello"))).message.content

    return asyncio.run(run())


@case
def tools() -> Any:
    said = model.chat_with_tools([TOOL], chat_history=say("tools"), allow_parallel_tool_calls=True)
    calls = model.get_tool_calls_from_response(said)
    return [[call.tool_id, call.tool_name, call.tool_kwargs] for call in calls]


@case
def structured() -> Any:
    program = model.as_structured_llm(Weather)
    return program.chat(say("as-tool")).raw.model_dump()


if __name__ == "__main__":
    report()
