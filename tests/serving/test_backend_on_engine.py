"""The client against a real vLLM: that it is understood rightly."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import httpx2
import pytest

from serving.backend import Backend
from serving.errors import BackendRejected, BackendUnavailable
from serving.events import Deltas, End, Start
from tests.fakes.client import ASK

AGAIN = 12  # times some ten seconds, which 3,000 tokens take: longer than the engine was seen to stand still
TOOL = {
    "type": "function",
    "function": {
        "name": "switch",
        "parameters": {
            "type": "object",
            "properties": {"on": {"type": "boolean"}},
            "required": ["on"],
            "additionalProperties": False,
        },
    },
}


def answered(engine: str, **body: Any) -> Any:
    async def run() -> Any:
        backend = Backend("engine", engine)
        try:
            return await backend.complete(ASK | {"max_tokens": 40} | body)
        finally:
            await backend.aclose()

    return asyncio.run(run())


def test_engine_streams(engine: str) -> None:
    async def run() -> None:
        backend = Backend("engine", engine)
        events = [one async for one in backend.stream(ASK | {"max_tokens": 5, "min_tokens": 5})]
        await backend.aclose()
        assert isinstance(events[0], Start)
        running = [one.usage.output_tokens for one in events if isinstance(one, Deltas) and one.usage]
        assert running == sorted(set(running))  # a busy engine puts several tokens into one chunk
        assert isinstance(events[-1], End)
        assert events[-1].usage
        assert events[-1].usage.output_tokens == running[-1] == 5

    asyncio.run(run())


def test_engine_says_why_it_stopped(engine: str) -> None:
    answer = answered(engine, max_tokens=3, min_tokens=3)
    assert [choice.finish_reason for choice in answer.choices] == ["length"]
    assert answer.usage.output_tokens == 3
    assert answer.metrics["time_to_first_token_ms"] > 0


def test_engine_gives_several_choices(engine: str) -> None:
    answer = answered(engine, n=2, max_tokens=4, min_tokens=4, temperature=1, seed=1)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.usage.output_tokens == 8


def test_engine_calls_tools(engine: str) -> None:
    answer = answered(engine, tools=[TOOL], tool_choice="required", temperature=0, max_tokens=200)
    calls = answer.choices[0].message["tool_calls"]
    assert {call["function"]["name"] for call in calls} == {"switch"}
    assert all(isinstance(call["function"]["arguments"], str) and call["id"] for call in calls)


def test_engine_keeps_to_a_schema(engine: str) -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    shaped = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema}}
    answer = answered(engine, response_format=shaped, max_tokens=100)
    assert answer.choices[0].finish_reason == "stop"
    assert set(json.loads(answer.choices[0].message["content"])) == {"ok"}


def test_engine_stops_at_a_string(engine: str) -> None:
    answer = answered(engine, structured_outputs={"choice": ["one STOP two"]}, stop=["STOP"])
    (choice,) = answer.choices
    assert (choice.message["content"], choice.finish_reason, choice.stop_reason) == ("one ", "stop", "STOP")


def test_engine_rejects_with_a_reason(engine: str) -> None:
    with pytest.raises(BackendRejected) as raised:
        answered(engine, temperature=9)
    assert raised.value.param == "temperature"
    with pytest.raises(BackendUnavailable):
        answered(engine, model="no-such-model")


def test_engine_is_what_the_small_questions_say(engine: str) -> None:
    async def run() -> None:
        backend = Backend("engine", engine)
        (model,) = await backend.models()
        assert model.id == "tiny"
        assert model.max_model_len
        assert await backend.health()
        assert str(await backend.version())[0].isdigit()
        answer = await backend.complete(ASK | {"max_tokens": 1})
        assert answer.usage
        assert await backend.tokenize(ASK) == answer.usage.input_tokens
        await backend.aclose()

    asyncio.run(run())


def test_engine_gives_ids_and_says_what_they_stand_for(engine: str) -> None:
    async def run() -> None:
        backend = Backend("engine", engine)
        body = ASK | {"max_tokens": 5, "min_tokens": 5, "return_token_ids": True}
        start, *rest = [one async for one in backend.stream(body)]
        ids = [id for one in rest if isinstance(one, Deltas) for id in one.ids]
        assert isinstance(start, Start)
        assert (len(start.prompt_ids), len(ids)) == (await backend.tokenize(ASK), 5)
        assert await backend.detokenize("tiny", ids) == "".join(one.text for one in rest if isinstance(one, Deltas))
        await backend.aclose()

    asyncio.run(run())


async def _metric(engine: str, name: str) -> float:
    async with httpx2.AsyncClient(trust_env=False) as client:
        metrics = (await client.get(f"{engine}/metrics")).text
    lines = [line for line in metrics.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    return sum(float(line.split()[-1]) for line in lines)


def test_engine_stops_working_when_the_client_leaves(engine: str) -> None:
    """Told by what it wrote, not by a clock: 3,000 tokens were asked for, a few hundred at most are written.

    Asked again when all was written: after its first structured answers this build's API server stands still for half a
    minute and hears nobody, and other tests may be served beside.
    """

    async def written(backend: Backend) -> float:
        before = await _metric(engine, "vllm:generation_tokens_total")
        async with aclosing(backend.stream(ASK | {"min_tokens": 3000, "max_tokens": 3000})) as events:
            async for one in events:
                if isinstance(one, Deltas) and one.usage and one.usage.output_tokens >= 3:
                    break
        for _ in range(3000):
            if not await _metric(engine, "vllm:num_requests_running"):
                break
            await asyncio.sleep(0.02)
        return await _metric(engine, "vllm:generation_tokens_total") - before

    async def run() -> None:
        backend = Backend("engine", engine)
        least = await written(backend)
        for _ in range(AGAIN):
            if least < 1500:
                break
            least = await written(backend)
        assert 3 <= least < 1500
        await backend.aclose()

    asyncio.run(run())
