"""The client against a scripted backend: every way in which an answer can be whole or broken."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from serving.backend import Backend, Model, Timeouts
from serving.errors import BackendBroken, BackendRejected, BackendTimeout
from serving.events import Delta, Deltas, End, Event, Start, Stop, Usage
from tests.fakes.backend import DONE, FIN, HANG, JSON, RST, STREAM, Script, event, first, piece, said, usage, words
from tests.fakes.client import ASK, failing, faked


async def collect(backend: Backend, body: dict[str, Any] = ASK) -> list[Event]:
    return [one async for one in backend.stream(body)]


def pieces(events: list[Event]) -> list[Delta]:
    return [piece for one in events if isinstance(one, Deltas) for piece in one.pieces]


def test_a_whole_answer() -> None:
    async def run() -> None:
        async with faked() as (backend, _):
            events = await collect(backend)
        assert events[0] == Start("chatcmpl-fake", 1_790_000_000, "tiny")
        assert [one.text for one in pieces(events)] == ["Hello", " world"]
        assert isinstance(events[-1], End)
        assert events[-1].stops == (Stop(0, "stop"),)
        assert events[-1].usage == Usage(13, 2)
        assert events[-1].metrics

    asyncio.run(run())


def test_complete_is_the_stream_folded() -> None:
    async def run() -> None:
        async with faked() as (backend, _):
            answer = await backend.complete(ASK)
        assert answer.choices[0].message["content"] == "Hello world"
        assert answer.usage == Usage(13, 2)

    asyncio.run(run())


def test_what_is_sent() -> None:
    async def run() -> None:
        async with faked(api_key="k") as (backend, fake):
            async with aclosing(backend.stream(ASK, {"x-request-id": "r1"})) as events:
                async for _ in events:
                    pass
            (seen,) = fake.requests
        assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
        assert seen.body == ASK | {
            "stream": True,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        }
        assert seen.headers["authorization"] == "Bearer k"
        assert seen.headers["x-request-id"] == "r1"
        assert seen.headers["accept-encoding"] == "identity"

    asyncio.run(run())


def text(index: int, words: str, tokens: int, finish: str | None = None, logprobs: object = None) -> bytes:
    """A chunk of vLLM's /v1/completions; its usage is that of one choice."""
    choice = {"index": index, "text": words, "logprobs": logprobs, "finish_reason": finish, "stop_reason": None}
    chunk = {"id": "cmpl-1", "object": "text_completion", "created": 7, "model": "tiny", "choices": [choice]}
    return event({**chunk, "usage": usage(tokens, prompt=5)})


def test_text_completions_are_told_as_chats() -> None:
    logprobs = {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [None], "text_offset": [0]}
    steps = (text(0, "a", 1, logprobs=logprobs), text(0, "", 1), text(0, "b", 2, "length"), DONE)

    async def run() -> None:
        async with faked() as (backend, fake):
            fake.answers["/v1/completions"] = Script(steps)
            events = [one async for one in backend.stream({"prompt": "x"}, path="/v1/completions")]
            answer = await backend.complete({"prompt": "x"}, path="/v1/completions")
            assert fake.requests[0].body["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
        assert (events[0], events[-1]) == (Start("cmpl-1", 7, "tiny"), End((Stop(0, "length"),), Usage(5, 2)))
        assert pieces(events) == [Delta(0, {"content": "a"}, logprobs), Delta(0, {"content": "b"})]
        assert answer.choices[0].message["content"] == "ab"
        assert answer.choices[0].logprobs == logprobs

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_chunks_of_the_other_kind_break_the_stream(path: str) -> None:
    async def run() -> None:
        async with faked() as (backend, fake):
            fake.plan(Script((text(0, "a", 1, "stop"), DONE)))
            fake.answers["/v1/completions"] = Script(said("a"))
            with pytest.raises(BackendBroken):
                await backend.complete(ASK, path=path)

    asyncio.run(run())


def test_a_plain_question() -> None:
    """Its answer is JSON, may be large, and has the time of a first token."""
    vectors = "x" * 20_000_000  # more than any other answer may have

    async def run() -> None:
        async with faked(timeouts=Timeouts(first_token=30)) as (backend, fake):
            fake.answers["/v1/embeddings"] = Script((json.dumps(vectors).encode(),), headers=JSON)
            assert await backend.ask("/v1/embeddings", {"input": "x"}, {"x-request-id": "r1"}) == vectors
            assert (fake.requests[0].body, fake.requests[0].request_id) == ({"input": "x"}, "r1")
            fake.answers["/v1/embeddings"] = Script((b"{",), headers=JSON)
            with pytest.raises(BackendBroken, match="/v1/embeddings"):
                await backend.ask("/v1/embeddings", {})
            fake.answers["/v1/embeddings"] = Script((b"{}",), 400, headers=JSON)
            with pytest.raises(BackendRejected):
                await backend.ask("/v1/embeddings", {})
        async with faked(timeouts=Timeouts(first_token=0.2)) as (backend, fake):
            fake.answers["/v1/embeddings"] = Script(delay=30.0)
            with pytest.raises(BackendTimeout, match="first token"):
                await backend.ask("/v1/embeddings", {})

    asyncio.run(run())


def test_the_client_does_not_change_the_body_it_is_given() -> None:
    async def run() -> None:
        body = ASK | {"stream": False}
        async with faked() as (backend, _):
            await backend.complete(body)
        assert body == ASK | {"stream": False}

    asyncio.run(run())


def test_neither_the_key_nor_the_host_is_shown() -> None:
    assert repr(Backend("b", "http://host.example", api_key="secret")) == "Backend('b')"


@pytest.mark.parametrize(
    "script",
    [
        Script(said("x"), headers=STREAM | {"content-encoding": "gzip"}),
        Script((b"{}",), headers=JSON),
        Script((b"data: {\n\n",)),
        Script((b"data: \xff\xfe\n\n",)),
        Script((b"data: " + b"x" * 65536, *(b"x" * 65536,) * 70)),
        Script((first(), event({"error": {"message": "x", "type": "InternalServerError", "code": 500}}), DONE)),
        Script(words("a", "b")),
        Script((*words("a", "b", finish="stop"), FIN)),
        Script((*words("a", "b"), RST)),
        Script((*words("a"), DONE)),
        Script((b": only a comment\n\n",)),
        Script(()),
        Script((*said("a"), b"data: {")),
    ],
    ids=[
        "gzip",
        "not-sse",
        "bad-json",
        "bad-utf8",
        "endless",
        "error-event",
        "no-done",
        "fin",
        "rst",
        "no-finish",
        "comment",
        "empty",
        "half-event",
    ],
)
def test_every_broken_stream_is_told_apart_from_an_answer(script: Script) -> None:
    error, events = failing(script)
    assert isinstance(error, BackendBroken)
    assert not any(isinstance(one, End) for one in events)


def test_an_answer_is_whole_at_its_end_marker_though_the_body_stays_open() -> None:
    async def run() -> None:
        async with faked(Script((*said("a"), HANG)), timeouts=Timeouts(between_tokens=5)) as (backend, fake):
            events = await collect(backend)
            assert isinstance(events[-1], End)
            await asyncio.wait_for(fake.requests[0].over.wait(), 30)
            assert fake.requests[0].left_early

    asyncio.run(run())


def test_what_came_before_the_break_is_passed_on() -> None:
    _, events = failing(Script((*words("a", "b"), RST)))
    assert [one.text for one in pieces(events)] == ["a", "b"]


def test_lies_about_usage_are_passed_on_as_told() -> None:
    async def run() -> None:
        lying = Script((first(), piece({"content": "x"}, -5, "stop"), DONE))
        async with faked(lying) as (backend, _):
            answer = await backend.complete(ASK)
        assert answer.usage == Usage(13, -5)

    asyncio.run(run())


def test_the_small_questions() -> None:
    async def run() -> None:
        async with faked() as (backend, _):
            assert await backend.models() == [Model("tiny", 4096, "/models/tiny")]
            assert await backend.health()
            assert await backend.version() == "0.32.0"
            assert await backend.tokenize(ASK) == 13

    asyncio.run(run())


def test_generations_that_hold_every_connection_do_not_hide_the_small_questions() -> None:
    async def run() -> None:
        options: dict[str, Any] = {"max_connections": 1, "timeouts": Timeouts(connect=0.5)}
        async with (
            faked(Script((*words("a"), HANG)), **options) as (backend, _),
            aclosing(backend.stream(ASK)) as events,
        ):
            await anext(events)
            assert await backend.tokenize(ASK) == 13
            assert await backend.health()
            assert await backend.models()
            assert await backend.version()

    asyncio.run(run())


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"data": 7}', b'{"data": [7]}', b'{"count": "x"}', b"x" * 17_000_000])
def test_answers_to_small_questions_that_make_no_sense(answer: bytes) -> None:
    async def run() -> None:
        async with faked() as (backend, fake):
            fake.answers |= {path: Script((answer or b" ",), headers=JSON) for path in (*fake.answers, "/detokenize")}
            with pytest.raises(BackendBroken):
                await backend.models()
            with pytest.raises(BackendBroken):
                await backend.detokenize("tiny", [1])
            with pytest.raises(BackendBroken):
                await backend.tokenize(ASK)
            assert await backend.version() is None

    asyncio.run(run())
