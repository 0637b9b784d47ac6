"""The whole chain on a real vLLM: the count before is the count after, and a continued answer is one made at once."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.errors import InvalidValue, OutputTruncated
from gateway.exchange import Call, Retrieval
from serving.probes import PROBES
from tests.conftest import TINY_MODEL
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, Outcome, on_engine
from tests.gateway.calls import call, caller, template
from tests.gateway.waiting import waited

PART = 8  # tokens of an answer that is made in pieces
AT_ONCE = 16
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city, today",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TEXTS = (
    "Why is the sky blue?", "", "naïve e\u0301 ﬁ 日本語 한국어 العربية हिन्दी",
    "👩‍👩‍👧‍👦 ∀ε>0 → x² \u200b\u2028\u0085\ufeff\x00",
    "```py\ndef f(x):\n    return {'a': x**2}\r\n```", "<|im_start|>system\nhi<|im_end|><|endoftext|><s></s>",
    "  two  before,\n\n\ttab  ", "3.14159 1,234,567 0xDEADBEEF",
)  # fmt: skip
QUESTIONS = ("What does the KV cache do?", "What is a token?", "Why stream an answer?", "What is temperature?")


@pytest.fixture(scope="module", params=["files", "server"])
def served(
    request: pytest.FixtureRequest, engine: str, docs: Path, prompts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Assembled]:
    """A gateway on the engine that counts with the model's own files, and one that asks the engine."""
    tokenizer = {"tokenizer": TINY_MODEL} if request.param == "files" else {}
    sections: dict[str, Any] = {
        "models": {"small": {"backends": ["engine"]} | tokenizer},
        "retrieve": {"docs": {"path": docs}},
        "build": {"prompts": prompts},
    }
    with running(on_engine(engine, tmp_path_factory.mktemp("served"), **sections)) as gateway:
        waited(lambda: "small" in gateway.runtime.models)
        yield gateway


def mixed(count: int, seed: int) -> list[Call]:
    """Calls of every kind, streamed and buffered; the same ones for the same seed."""
    dice = random.Random(seed)
    who = replace(caller(), tenant_limits=())
    return [_one(dice, number, replace(who, tenant=f"{who.tenant}-{number}")) for number in range(count)]


def _one(dice: random.Random, number: int, who: Any) -> Call:
    short = {"max_tokens": dice.randint(1, 4), "temperature": 0}
    common: dict[str, Any] = {"who": who, "stream": dice.random() < 0.5, "fields": short, "on_length": "return"}
    text = " ".join(dice.choices(TEXTS, k=dice.randint(1, 4)))
    match number % 6:
        case 0:
            return call(text, **common)
        case 1:
            probe = dice.choice([p for p in PROBES.values() if set(p) <= {"messages", "tools"}])
            tools = {"tools": probe["tools"]} if "tools" in probe else {}
            return call(messages=tuple(probe["messages"]), **common | {"fields": short | tools})
        case 2:
            turns = ({"role": "system", "content": dice.choice(TEXTS)}, {"role": "user", "content": text})
            return call(messages=turns, **common | {"fields": short | {"tools": [WEATHER]}})
        case 3:
            return call(" ".join(dice.choices(TEXTS, k=60)), **common)
        case 4:
            return call(**template("answer", question=dice.choice(QUESTIONS)) | common)
    turn = {"role": "user", "content": dice.choice(QUESTIONS)}
    return call(messages=(turn,), retrieve=Retrieval("docs", dice.randint(1, 6)), **common)


async def _all(gateway: Assembled, calls: list[Call]) -> list[Outcome]:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(asked: Call) -> Outcome:
        async with places:
            return await gateway.reading(asked)

    return await asyncio.gather(*map(one, calls))


def assert_counted(gateway: Assembled, calls: list[Call]) -> None:
    """What preflight (and packing) counted is what the engine says, on every one."""
    outcomes = asyncio.run_coroutine_threadsafe(_all(gateway, calls), gateway.loop).result()
    counted = [_counts(outcome) for outcome in outcomes]
    assert [pair for pair in counted if pair[0] != pair[1]] == []
    assert "tollgate_preflight_difference_tokens_total{" not in gateway.runtime.metrics.render().decode()
    assert gateway.holds() == []


def _counts(outcome: Outcome) -> tuple[int, int]:
    closed = outcome.closed
    assert closed.gateway["tokens"]["source"] == "exact"
    return closed.gateway["tokens"]["input"], closed.usage.input_tokens


def test_the_count_before_is_the_engines_count_after(served: Assembled) -> None:
    assert_counted(served, mixed(60, seed=1))


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_the_counts_are_equal_on_a_thousand_requests(served: Assembled) -> None:
    assert_counted(served, mixed(1000, seed=2))


def test_a_continued_answer_is_the_answer_made_at_once(served: Assembled) -> None:
    """At temperature 0, wherever the text so far is cut into the same tokens when it is read again."""
    same = 0
    for question in QUESTIONS:
        asked = {**template("answer", question=question), "cache": "skip"}
        parts = served.ask(**asked, fields={"max_tokens": PART}, on_length="continue")
        whole = served.ask(**asked, fields={"max_tokens": 4 * PART}, on_length="return")
        assert parts.streamed == parts.text
        rounds = -(-parts.closed.usage.output_tokens // PART)
        # A prompt of PART tokens more each round, unless a boundary was read as other tokens than were written.
        read_again = rounds * whole.closed.usage.input_tokens + PART * sum(range(rounds))
        if rounds > 1 and parts.closed.usage.input_tokens == read_again:
            assert parts.text == whole.text
            same += 1
    assert same > 0


def test_a_client_that_leaves_stops_the_engine_and_pays_what_it_saw(served: Assembled) -> None:
    asked = call("Count to a thousand", fields={"max_tokens": 2000, "ignore_eos": True}, cache="skip")
    served.do(served.leaving(asked, 6))
    row = served.row(asked)
    assert row["status"] == 499
    assert 1 <= row["output_tokens"] < 2000
    served.assert_settled(asked)


def test_a_structured_answer_is_whole_or_refused(served: Assembled) -> None:
    """Enough room gives an answer that satisfies its schema; too little gives the error and never half of one, before
    anything is spent where the vocabulary is known."""
    schema = {"enum": ["it is on and stays on", "it is off and stays off"]}  # nothing in it that may go on for ever
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    fields = {"response_format": wanted, "temperature": 0}
    whole = served.ask("Is it on?", fields=fields | {"max_tokens": 60}, cache="skip")
    assert orjson.loads(whole.text) in schema["enum"]
    assert whole.closed.gateway["checks"]["schema"] == "valid"
    cut = served.ask("Is it on?", fields=fields | {"max_tokens": 2}, cache="skip")
    known = served.runtime.models["small"].cuts is not None
    assert isinstance(cut.error, InvalidValue if known else OutputTruncated)


def test_what_the_engine_refuses_is_left_to_the_check_and_told(served: Assembled) -> None:
    """The engine itself refuses uniqueItems, and an allOf of two; of what is left it writes only what is valid."""
    one = {"allOf": [{"enum": ["on", "off"]}, {"type": "string"}]}
    schema = {"type": "array", "items": one, "minItems": 1, "maxItems": 1, "uniqueItems": True}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    answer = served.ask("Which?", fields={"response_format": wanted, "temperature": 0, "max_tokens": 60}, cache="skip")
    assert orjson.loads(answer.text) in (["on"], ["off"])
    checks = answer.closed.gateway["checks"]
    assert (checks["schema"], checks["unenforced"]) == ("valid", ["uniqueItems"])


def test_the_parameters_of_a_tool_that_must_be_called_are_relaxed_too(served: Assembled) -> None:
    size = {"allOf": [{"type": "integer", "minimum": 10}, {"maximum": 99}], "multipleOf": 1}
    parameters = {"type": "object", "properties": {"size": size}, "required": ["size"], "additionalProperties": False}
    tool = {"type": "function", "function": {"name": "resize", "parameters": parameters}}
    fields = {"tools": [tool], "tool_choice": "required", "temperature": 0, "max_tokens": 60}
    answer = served.ask("Resize it.", fields=fields, cache="skip", on_length="return")
    assert answer.error is None
    assert answer.closed.gateway["checks"]["unenforced"] == ["multipleOf"]
