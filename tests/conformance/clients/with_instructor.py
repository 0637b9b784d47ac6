"""Instructor: a pydantic model as the answer, by each of its modes, and asking again when it does not fit."""

import asyncio
from typing import Any

import instructor
from anthropic import Anthropic
from openai import AsyncOpenAI, OpenAI
from pydantic import field_validator

from tests.conformance.clients.report import ACCESS, BASE_URL, KEY, ask, case, raised, report
from tests.conformance.clients.weather import Weather


class Hot(Weather):
    """What the scripted answer never is."""

    @field_validator("degrees")
    @classmethod
    def hot(cls, degrees: int) -> int:
        if degrees < 40:
            raise ValueError("must be hot")
        return degrees


def client(mode: Any) -> Any:
    return instructor.from_openai(OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=120), mode=mode)


def given(mode: Any, script: str) -> Any:
    value = client(mode).chat.completions.create(model="small", messages=ask(script), response_model=Weather)
    return value.model_dump()


@case
def by_tool() -> Any:
    return given(instructor.Mode.TOOLS, "as-tool")


@case
def by_schema() -> Any:
    return given(instructor.Mode.JSON_SCHEMA, "json")


@case
def by_json() -> Any:
    return given(instructor.Mode.JSON, "json")


@case
def partly_streamed() -> Any:
    stream = client(instructor.Mode.TOOLS).chat.completions.create_partial(
        model="small", messages=ask("as-tool"), response_model=Weather
    )
    return list(stream)[-1].model_dump()


@case
def with_the_completion() -> Any:
    value, completion = client(instructor.Mode.TOOLS).chat.completions.create_with_completion(
        model="small", messages=ask("as-tool"), response_model=Weather
    )
    return [value.city, completion.usage.completion_tokens > 0]


@case
def by_anthropic() -> Any:
    plain = Anthropic(base_url=ACCESS["url"], api_key=KEY, max_retries=0, timeout=120)
    other: Any = instructor.from_anthropic(plain)
    value = other.messages.create(
        model="small", max_tokens=64, messages=ask("as-tool"), response_model=Weather, max_retries=1
    )
    return value.model_dump()


@case
def asynchronous() -> Any:
    async def run() -> Any:
        async with AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=120) as plain:
            many: Any = instructor.from_openai(plain, mode=instructor.Mode.TOOLS)
            value = await many.chat.completions.create(model="small", messages=ask("as-tool"), response_model=Weather)
            return value.model_dump()

    return asyncio.run(run())


@case
def asks_again_and_gives_up() -> Any:
    """What it sends back is the answer and what is wrong with it; the scripted backend repeats itself."""
    create = client(instructor.Mode.TOOLS).chat.completions.create
    return raised(lambda: create(model="small", messages=ask("as-tool", "again"), response_model=Hot, max_retries=2))[
        "class"
    ]


if __name__ == "__main__":
    report(at_once=1)  # it imports when it is first used, and threads get in each other's way
