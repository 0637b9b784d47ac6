"""Chat completions by OpenAI's package: what it makes of the scripted backend's answers."""

import asyncio
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI, pydantic_function_tool
from pydantic import BaseModel

from tests.conformance.clients.report import BASE_URL, KEY, ask, case
from tests.conformance.clients.weather import Weather


class weather(BaseModel):
    """The weather of a city."""

    city: str


TOOLS: list[Any] = [pydantic_function_tool(weather)]

client = OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=120)
create: Any = client.chat.completions.create


def chat(script: str, name: str = "", **fields: Any) -> Any:
    return create(**{"model": "small", "messages": ask(script, name), **fields})


def text_of(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


@case
def version() -> Any:
    return openai.__version__.split(".")[0]


@case
def buffered() -> Any:
    said = chat("hello")
    choice, usage = said.choices[0], said.usage
    tokens = [usage.prompt_tokens > 0, usage.completion_tokens, usage.total_tokens - usage.prompt_tokens]
    return [said.object, choice.message.role, choice.message.content, choice.finish_reason, tokens]


@case
def streamed() -> Any:
    chunks = list(chat("hello", stream=True))
    return {
        "text": text_of(chunks),
        "roles": [c.delta.role for chunk in chunks for c in chunk.choices if c.delta.role],
        "finishes": [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason],
        "heads": len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}),
        "empty": [chunk for chunk in chunks if not chunk.choices],
        "usages": [chunk.usage for chunk in chunks if chunk.usage],
    }


@case
def streamed_with_usage() -> Any:
    chunks = list(chat("hello", stream=True, stream_options={"include_usage": True, "include_obfuscation": False}))
    usages = [chunk.usage is not None for chunk in chunks]
    return [text_of(chunks), sum(usages), usages[-1], chunks[-1].choices, chunks[-1].usage.completion_tokens]


@case
def same_text_whatever_the_characters() -> Any:
    return [chat("hard").choices[0].message.content, text_of(list(chat("hard", stream=True)))]


@case
def stream_helper() -> Any:
    with client.chat.completions.stream(model="small", messages=ask("hello")) as events:
        kinds = [event.type for event in events]
        final = events.get_final_completion()
    return [kinds.count("content.delta"), kinds.count("content.done"), final.choices[0].message.content]


@case
def leaving_a_stream() -> Any:
    with chat("hello", stream=True) as chunks:
        next(iter(chunks))
    return chat("hello").choices[0].message.content


@case
def asynchronous() -> Any:
    async def run() -> Any:
        async with AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=120) as many:
            whole = [many.chat.completions.create(model="small", messages=ask("hello")) for _ in range(5)]
            said = [answer.choices[0].message.content for answer in await asyncio.gather(*whole)]
            stream = await many.chat.completions.create(model="small", messages=ask("hello"), stream=True)
            return [said, text_of([chunk async for chunk in stream])]

    return asyncio.run(run())


@case
def parsed() -> Any:
    said = client.chat.completions.parse(model="small", messages=ask("json"), response_format=Weather)
    value = said.choices[0].message.parsed
    assert value
    return value.model_dump()


@case
def parsed_stream() -> Any:
    with client.chat.completions.stream(model="small", messages=ask("json"), response_format=Weather) as events:
        value = events.get_final_completion().choices[0].message.parsed
    assert value
    return value.model_dump()


def calls_of(message: Any) -> list[Any]:
    assert {call.type for call in message.tool_calls} == {"function"}
    return [[call.id, call.function.name, call.function.arguments] for call in message.tool_calls]


@case
def tool() -> Any:
    choice = chat("tool", tools=TOOLS).choices[0]
    return [calls_of(choice.message), choice.finish_reason, choice.message.content]


@case
def parallel_tools() -> Any:
    return calls_of(chat("tools", tools=TOOLS, parallel_tool_calls=True).choices[0].message)


@case
def streamed_tools() -> Any:
    """Put together as an app does by hand: by index, the arguments from fragments."""
    calls: dict[int, list[str]] = {}
    for chunk in chat("tools", tools=TOOLS, stream=True):
        for call in chunk.choices[0].delta.tool_calls or ():
            made = calls.setdefault(call.index, [call.id, call.function.name, ""])
            made[2] += call.function.arguments or ""
    return list(calls.values())


@case
def stream_helper_tools() -> Any:
    with client.chat.completions.stream(model="small", messages=ask("tools"), tools=TOOLS) as events:
        done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
        final = events.get_final_completion()
    return [len(done), calls_of(final.choices[0].message)]


@case
def parsed_tool() -> Any:
    said = client.chat.completions.parse(model="small", messages=ask("tool"), tools=TOOLS)
    calls = said.choices[0].message.tool_calls or []
    return [isinstance(call.function.parsed_arguments, weather) for call in calls]


@case
def tool_round() -> Any:
    """The package's own message object goes back with the tool's result, buffered or put together from a stream."""
    with client.chat.completions.stream(model="small", messages=ask("tools"), tools=TOOLS) as events:
        collected = events.get_final_completion().choices[0].message
    texts = []
    for message in (chat("tools", tools=TOOLS).choices[0].message, collected):
        results = [{"role": "tool", "tool_call_id": call.id, "content": "21"} for call in message.tool_calls or ()]
        said = create(model="small", messages=[*ask("tools"), message, *results, *ask("hello")], tools=TOOLS)
        texts.append(said.choices[0].message.content)
    return texts


@case
def reasoning() -> Any:
    message = chat("reason").choices[0].message
    deltas = [chunk.choices[0].delta for chunk in chat("reason", stream=True)]
    return [message.reasoning, message.content, "".join(getattr(delta, "reasoning", None) or "" for delta in deltas)]


@case
def logprobs() -> Any:
    whole = chat("logprobs", logprobs=True, top_logprobs=2).choices[0].logprobs.content
    chunks = list(chat("logprobs", logprobs=True, top_logprobs=2, stream=True))
    pieces = [token for chunk in chunks for c in chunk.choices if c.logprobs for token in c.logprobs.content]
    return [[[t.token, t.logprob, len(t.top_logprobs)] for t in tokens] for tokens in (whole, pieces)]


@case
def two_choices() -> Any:
    whole = [choice.message.content for choice in chat("two", n=2).choices]
    streamed = {0: "", 1: ""}
    for chunk in chat("two", n=2, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    return [whole, list(streamed.values())]


@case
def raw_headers() -> Any:
    raw = client.chat.completions.with_raw_response.create(model="small", messages=ask("hello"))
    said = raw.parse()
    return dict(raw.headers) | {"_request_id": said._request_id}


@case
def raw_stream_headers() -> Any:
    """httpx splits lines where Unicode says that they end; each must still be one of the format's."""
    with client.chat.completions.with_streaming_response.create(
        model="small", messages=ask("hard"), stream=True
    ) as raw:
        lines = [line for line in raw.iter_lines() if line]
        return dict(raw.headers) | {"last": lines[-1], "others": [li for li in lines if not li.startswith("data: ")]}


@case
def models() -> Any:
    retrieved, listed = client.models.retrieve("small"), client.models.list().data
    known = {"hasty", "small", "tiny"} & {model.id for model in listed}
    return [sorted(known), {model.object for model in listed} == {"model"}, retrieved.id]
