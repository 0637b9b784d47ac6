"""POST /v1/responses by OpenAI's package, which keeps an app's state itself: the gateway has no store for it."""

import asyncio
from typing import Any

from openai import AsyncOpenAI

from tests.conformance.clients.openai_chat import client
from tests.conformance.clients.report import BASE_URL, KEY, ask, case, raised
from tests.conformance.clients.weather import FUNCTION, Weather

TOOL: Any = {"type": "function", **FUNCTION, "strict": True}


def text(script: str, name: str = "") -> str:
    return str(ask(script, name)[0]["content"])


def respond(script: str, **fields: Any) -> Any:
    return client.responses.create(**{"model": "small", "input": text(script), **fields})


def called(output: Any) -> Any:
    return [[item.call_id, item.name, item.arguments] for item in output if item.type == "function_call"]


@case
def response() -> Any:
    said = respond("hello", instructions="Be brief.")
    return [said.object, said.status, said.output_text, said.usage.output_tokens]


@case
def response_of_messages() -> Any:
    return respond("hello", input=ask("hello")).output_text


@case
def response_streamed() -> Any:
    events = list(respond("hello", stream=True))
    text_of = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    numbers = [event.sequence_number for event in events]
    return [events[0].type, events[-1].type, text_of, numbers == list(range(len(events)))]


@case
def response_stream_helper() -> Any:
    with client.responses.stream(model="small", input=text("hello")) as events:
        for _ in events:
            pass
        return events.get_final_response().output_text


@case
def response_asynchronous() -> Any:
    async def run() -> Any:
        async with AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=120) as many:
            return (await many.responses.create(model="small", input=text("hello"))).output_text

    return asyncio.run(run())


@case
def response_parsed() -> Any:
    value = client.responses.parse(model="small", input=text("json"), text_format=Weather).output_parsed
    assert value
    return value.model_dump()


@case
def response_tools() -> Any:
    return called(respond("tools", tools=[TOOL]).output)


@case
def response_streamed_tools() -> Any:
    events = list(respond("tools", tools=[TOOL], stream=True))
    done = [event.arguments for event in events if event.type == "response.function_call_arguments.done"]
    pieces = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    return [called(events[-1].response.output), pieces == "".join(done)]


@case
def response_tool_round() -> Any:
    """The package's own items go back with the calls' results."""
    output = respond("tools", tools=[TOOL]).output
    calls = [item for item in output if item.type == "function_call"]
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "21"} for call in calls]
    return respond("tools", input=[*ask("tools"), *output, *results], tools=[TOOL]).output_text


@case
def response_reasoned() -> Any:
    said = respond("reason")
    thoughts = [part.text for item in said.output if item.type == "reasoning" for part in item.content or ()]
    return [thoughts, said.output_text]


@case
def response_refused() -> Any:
    return raised(lambda: respond("hello", temperature=7))


@case
def response_that_needs_a_store() -> Any:
    return raised(lambda: respond("hello", previous_response_id="resp_1"))


@case
def response_stream_breaks() -> Any:
    """As OpenAI's API does it: an event `error` in the stream, which the package raises or hands on."""
    events: list[Any] = []

    def read() -> None:
        for event in respond("reset-late", stream=True):
            events.append(event)
            if event.type in ("error", "response.failed"):
                raise RuntimeError(event.type)

    kind = raised(read)["class"]
    return [kind in ("APIError", "RuntimeError"), "response.completed" in [event.type for event in events]]
