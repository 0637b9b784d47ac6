"""The scripted backend tells the truth about vLLM and about itself.

What it streams has the keys of recorded streams, chunk by chunk in their order; what it did is what its clients saw.
"""

import asyncio
import gzip
import json
import time
from typing import Any

import pytest

from serving.backend import Backend
from serving.decode import Decoder
from serving.errors import BackendError
from serving.events import Deltas
from tests.fakes.backend import DONE, FLOOD, HANG, STREAM, FakeBackend, Script, Seen, Step
from tests.fakes.client import ASK, failing, faked
from tests.fakes.recorded import ASKED, ask, transcript
from tests.fakes.said import BAD_BYTES, LIES, called, choices, dripping, faulted, gzipped, lying, said, stopped
from tests.gateway.waiting import WAIT_S, until

HELLO = said("Hello", " world")
SAME = {
    "cut": said("a", "b", "c", finish="length"),
    "stopped": stopped("a", "b"),
    "choices": choices("a", "b"),
    "called": called("f", "null"),
    "faulted": faulted("token_id(s) [99999] in logit_bias contain out-of-vocab token ids"),
}


def shape(value: Any) -> Any:
    """Keys and kinds of a JSON value, without what it says; numbers are one kind."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def shapes(stream: bytes) -> dict[int | None, list[Any]]:
    """The shapes of each choice's chunks in their order, and (None) of the others; several alike in a row count once.

    How the chunks of several choices take turns is the engine's mood.
    """
    found: dict[int | None, list[Any]] = {}
    for payload in Decoder().feed(stream):
        chunk: dict[str, Any] = {"done": payload.decode()} if payload == b"[DONE]" else json.loads(payload)
        kinds = found.setdefault(chunk["choices"][0]["index"] if chunk.get("choices") else None, [])
        if kinds[-1:] != [shape(chunk)]:
            kinds.append(shape(chunk))
    return found


def written(steps: tuple[Step, ...]) -> bytes:
    return b"".join(step for step in steps if isinstance(step, bytes))


@pytest.mark.parametrize("name", ASKED)
def test_what_it_says_has_the_shape_of_what_was_recorded(name: str) -> None:
    assert shapes(written(SAME[name])) == shapes(transcript(name))


@pytest.mark.parametrize("name", ASKED)
def test_what_was_recorded_is_what_the_engine_sends(engine: str, name: str) -> None:
    """A new vLLM whose stream looks different must be recorded anew, and the scripted backend follow it."""
    assert shapes(ask(engine, name)) == shapes(transcript(name))


@pytest.mark.parametrize("name", sorted(set(ASKED) - {"faulted"}))
def test_a_recorded_count_is_the_sum_of_its_choices(name: str) -> None:
    """What the usage on a chunk counts: the tokens of its own choice by then; the last one those of all."""
    *chunks, last = [json.loads(data) for data in Decoder().feed(transcript(name)) if data != b"[DONE]"]
    said = {chunk["choices"][0]["index"]: chunk["usage"]["completion_tokens"] for chunk in chunks}
    assert sum(said.values()) == last["usage"]["completion_tokens"]


def played(*steps: Step, **script: Any) -> tuple[Seen, str | None]:
    """What the backend saw of one request, and the kind of its failure."""

    async def run() -> tuple[Seen, str | None]:
        async with faked(Script(steps, **script)) as (backend, fake):
            failure = None
            try:
                await backend.complete(ASK)
            except BackendError as error:
                failure = type(error).__name__
            await asyncio.wait_for(fake.requests[0].over.wait(), WAIT_S)
            return fake.requests[0], failure

    return asyncio.run(run())


def test_it_records_what_was_asked_and_written() -> None:
    seen, _ = played(*HELLO)
    assert (seen.body["stream"], seen.whole, seen.left_early) == (True, True, False)
    assert (seen.written, seen.tokens) == (len(written(HELLO)), 2)


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_about_usage_does_not_change_what_was_counted(lie: str) -> None:
    steps = lying(lie, choices("a", "b", "c"))
    assert steps != choices("a", "b", "c")
    seen, _ = played(*steps)
    assert seen.tokens == (6 if seen.whole else seen.tokens)


def test_tokens_are_counted_as_far_as_they_were_written() -> None:
    async def run() -> None:
        async with faked(Script((*said("a", "b", "c")[:3], HANG))) as (backend, fake):
            stream = backend.stream(ASK)
            read = ""
            while read != "ab":  # which may come together
                event = await anext(stream)
                read += event.text if isinstance(event, Deltas) else ""
            seen = fake.requests[0]
            began = time.monotonic()
            assert not seen.left_early
            await stream.aclose()
            await until(lambda: seen.left_early)
            assert seen.left_at
            assert seen.left_at >= began
            assert seen.tokens == 2

    asyncio.run(run())


def test_what_no_backend_should_send_arrives_as_written() -> None:
    headers = STREAM | {"content-encoding": "gzip"}
    assert gzip.decompress(gzipped(HELLO)[0]) == written(HELLO)
    for steps, extra in (*(((bad, DONE), STREAM) for bad in BAD_BYTES), (gzipped(HELLO), headers)):
        error, _ = failing(Script(steps, headers=extra))
        assert isinstance(error, BackendError), steps


def test_a_line_without_an_end_stops_when_the_client_leaves() -> None:
    seen, failure = played(FLOOD)
    assert failure == "BackendBroken"
    assert seen.left_early


def test_a_drip_says_the_same_slowly() -> None:
    began = time.monotonic()
    seen, failure = played(*dripping(0.05, HELLO))
    assert (failure, seen.tokens) == (None, 2)
    assert time.monotonic() - began >= 0.05 * len(HELLO)


def test_one_rule_can_answer_every_request() -> None:
    async def run() -> None:
        async with FakeBackend() as fake:
            fake.usual = lambda seen: Script(said(*["x"] * seen.body["seed"]))
            backend = Backend("b", fake.url)
            for count in (1, 3):
                await backend.complete(ASK | {"seed": count})
            await backend.aclose()
            assert [seen.tokens for seen in fake.chats()] == [1, 3]

    asyncio.run(run())
