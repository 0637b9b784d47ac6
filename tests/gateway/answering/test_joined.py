"""Parts of an answer become one, wherever they were cut: text, stop strings, usage, and what breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.answering.joined import Joined
from gateway.exchange import Packed
from serving.errors import BackendBroken, BackendUnavailable
from serving.events import Completion, Deltas, End, Event, Start, Usage
from tests.fakes.backend import DONE, HANG, JSON, RST, FakeBackend, Script, first, piece, said, words
from tests.fakes.bytewise import PROMPT, Bytewise
from tests.gateway.answering.parts import faked, joined, packed, read, routed, streamed, text

ANSWER = "The quick — brön 東京 fox 🙂 says: naïve?"
LENGTH = len(ANSWER.encode())


def answered(engine: Bytewise, asked: Packed, ceiling: int, more: int = 99) -> tuple[Completion, list[Event]]:
    async def run() -> tuple[Completion, list[Event]]:
        async with faked() as (fake, joiner):
            engine.into(fake)
            return await read(joined(joiner, asked, ceiling, more))

    return asyncio.run(run())


@pytest.mark.parametrize("ceiling", [4, 5, 7, 16, LENGTH, LENGTH + 1])
@pytest.mark.parametrize("prompt", [None, "raw"])
@pytest.mark.parametrize("ids", [True, False])
def test_an_answer_in_parts_is_the_answer_made_at_once(ceiling: int, prompt: str | None, ids: bool) -> None:
    """By its ids or by its text, cut within characters of two, three and four bytes."""
    engine = Bytewise(ANSWER, tells_ids=ids)
    asked = packed(prompt and PROMPT.decode())
    answer, events = answered(engine, asked, ceiling)
    assert text(answer) == streamed(events) == ANSWER
    assert answer.choices[0].finish_reason == "stop"
    assert [type(event) for event in events if not isinstance(event, Deltas)] == [Start, End]


@settings(max_examples=25)
@given(st.text(min_size=1, max_size=30), st.integers(4, 9))
def test_any_answer_is_joined_without_a_lost_or_repeated_character(answer: str, ceiling: int) -> None:
    assert text(answered(Bytewise(answer), packed(), ceiling)[0]) == answer


def test_it_goes_on_from_the_tokens_themselves() -> None:
    engine = Bytewise("abcdefgh")
    answered(engine, packed(reasoning_effort="low", logprobs=False, top_p=0.5), 3)
    begun, *others = [seen.body for seen in engine.parts]
    assert (begun["return_token_ids"], begun["max_completion_tokens"]) == (True, 3)
    assert [seen.path for seen in engine.parts[1:]] == ["/v1/completions"] * 2
    assert [bytes(body["prompt"]) for body in others] == [PROMPT + b"abc", PROMPT + b"abcdef"]
    kept = {name: begun[name] for name in ("model", "cache_salt", "top_p")}
    sent = {name: others[0][name] for name in others[0].keys() - {"prompt", "stream", "stream_options"}}
    assert sent == kept | {"max_tokens": 3, "return_token_ids": True}


@pytest.mark.parametrize("reads_ids", [True, False])
def test_a_server_that_gives_no_ids_is_sent_the_text(reads_ids: bool) -> None:
    """As is one that gives them and cannot say what text they stand for."""
    engine = Bytewise("abcdefgh", tells_ids=not reads_ids, reads_ids=reads_ids)
    assert text(answered(engine, packed(), 3)[0]) == "abcdefgh"
    last = engine.parts[-1].body
    assert last["messages"][-1] == {"role": "assistant", "content": "abcdef"}
    assert (last["continue_final_message"], last["add_generation_prompt"]) == (True, False)


def test_an_answer_that_is_not_to_be_joined_asks_for_no_ids() -> None:
    engine = Bytewise("abc")
    answered(engine, packed(), 9, more=0)
    assert "return_token_ids" not in engine.parts[0].body


def test_the_parts_are_billed_as_each_was_counted_and_no_id_leaves() -> None:
    """Cut within the é, whose first byte is made twice: 2 + 2 + 2 tokens and the end."""
    answer, events = answered(Bytewise("aébc"), packed(), 2)
    assert answer.usage == Usage(12 + 13 + 15 + 17, 2 + 2 + 2 + 1)
    running = [event.usage.total_tokens for event in events if isinstance(event, Deltas) and event.usage]
    assert running == sorted(running)
    assert all(not event.prompt_ids for event in events if isinstance(event, Start))
    assert all(not event.ids for event in events if isinstance(event, Deltas))


@pytest.mark.parametrize(
    ("answer", "stop", "ceiling"),
    [
        ("one STOP two", ["STOP"], 6),
        ("one STOP two", ["STOP", "OP t"], 5),
        ("one SSTOP two", ["STOP"], 4),
        ("one ST two STO", ["STOP"], 6),
        ("ab—cd—ef", ["—cd—"], 4),
        ("one two", ["xyz", "e two"], 4),
    ],
)
@pytest.mark.parametrize("included", [False, True])
def test_a_stop_string_across_a_seam_ends_the_answer(
    answer: str, stop: list[str], ceiling: int, included: bool
) -> None:
    """As one in the middle of a generation does."""
    ends = sorted((answer.find(one) + len(one), one) for one in stop if one in answer)
    asked = packed(stop=stop, include_stop_str_in_output=included)
    got, events = answered(Bytewise(answer), asked, ceiling)
    whole = answer if not ends else answer[: ends[0][0] - (0 if included else len(ends[0][1]))]
    assert text(got) == streamed(events) == whole
    assert got.choices[0].stop_reason == (ends[0][1] if ends else None)
    assert got.choices[0].finish_reason == "stop"


def test_it_ends_when_the_parts_run_out_and_says_so() -> None:
    answer, _ = answered(Bytewise("abcdefgh", tells_ids=True), packed(stop="ghi"), 2, more=2)
    assert (text(answer), answer.choices[0].finish_reason) == ("abcdef", "length")


def test_a_full_window_is_not_gone_on_with() -> None:
    engine = Bytewise("abcdefgh", window=len(PROMPT) + 5)
    answer, _ = answered(engine, packed(), 3)
    assert (text(answer), answer.choices[0].finish_reason, len(engine.parts)) == ("abcde", "length", 2)


def test_a_part_that_says_nothing_is_the_last() -> None:
    """Half a character, again and again."""
    engine = Bytewise("ab🙂")
    assert (text(answered(engine, packed(), 2)[0]), len(engine.parts)) == ("ab", 2)


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2}, {"logprobs": True}, {"logprobs": 0}, {"frequency_penalty": 0.5},
        {"presence_penalty": -1}, {"bad_words": ["a b"]},
        {"ignore_eos": True}, {"repetition_detection": {"max_pattern_size": 4, "min_count": 3}},
        {"response_format": {"type": "json_object"}}, {"tools": [{"type": "function", "function": {"name": "f"}}]},
    ],
)  # fmt: skip
def test_what_cannot_be_gone_on_with_is_one_part(fields: dict[str, Any]) -> None:
    engine = Bytewise("abcdefgh")
    answer, _ = answered(engine, packed(**fields), 3)
    assert (text(answer), answer.choices[0].finish_reason, len(engine.parts)) == ("abc", "length", 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"frequency_penalty": 0, "bad_words": [], "logprobs": False, "n": 1, "ignore_eos": False},
        {"repetition_penalty": 1.5, "response_format": {"type": "text"}},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"},
    ],
)
def test_what_means_nothing_or_holds_over_the_prompt_is_no_obstacle(fields: dict[str, Any]) -> None:
    assert text(answered(Bytewise("abcdefgh"), packed(**fields), 3)[0]) == "abcdefgh"


def test_what_is_left_of_min_tokens_and_another_seed_go_on() -> None:
    engine = Bytewise("abcdefgh")
    answered(engine, packed(min_tokens=5, seed=2**63 - 2), 3)
    sent = [(seen.body["min_tokens"], seen.body["seed"]) for seen in engine.parts]
    assert sent == [(5, 2**63 - 2), (2, -(2**63) + 1), (0, -(2**63) + 4)]


def given_to(check: Callable[[FakeBackend, Joined], Awaitable[None]]) -> None:
    async def run() -> None:
        async with faked() as (fake, joiner):
            await check(fake, joiner)

    asyncio.run(run())


def test_reasoning_cannot_be_gone_on_with_by_text() -> None:
    async def check(fake: FakeBackend, joiner: Joined) -> None:
        fake.plan(Script((first(), piece({"reasoning": "hm"}, 1), piece({"content": "a"}, 2, "length"), DONE)))
        answer, _ = await read(joined(joiner, packed(), 2, 3))
        assert (text(answer), len(fake.chats())) == ("a", 1)

    given_to(check)


def test_a_part_that_breaks_is_a_stream_that_broke() -> None:
    async def check(fake: FakeBackend, joiner: Joined) -> None:
        fake.plan(Script(said("a", finish="length")), Script((*words("b"), RST)))
        with pytest.raises(BackendBroken):
            await read(joined(joiner, packed(), 1, 3))
        fake.plan(Script(said("a", finish="length")), Script(status=500, headers=JSON))
        with pytest.raises(BackendUnavailable):
            await read(joined(joiner, packed(), 1, 3))

    given_to(check)


def test_a_part_that_is_refused_is_no_fault_of_the_clients() -> None:
    async def check(fake: FakeBackend, joiner: Joined) -> None:
        fake.plan(Script(said("a", finish="length")), Script(status=400, headers=JSON, steps=(b"{}",)))
        with pytest.raises(BackendBroken, match="refused to go on"):
            await read(joined(joiner, packed(), 1, 3))

    given_to(check)


def test_who_leaves_between_two_parts_stops_them() -> None:
    async def check(fake: FakeBackend, joiner: Joined) -> None:
        fake.plan(Script(said("a", finish="length")), Script((*words("b"), HANG)))
        async with aclosing(joined(joiner, packed(), 1, 3)) as events:
            async for event in events:
                if isinstance(event, Deltas) and event.text == "b":
                    break
        await asyncio.wait_for(fake.chats()[-1].over.wait(), 30)
        assert (len(fake.chats()), fake.chats()[-1].left_early) == (2, True)

    given_to(check)


def test_a_stop_string_across_a_seam_stops_the_engine() -> None:
    async def check(fake: FakeBackend, joiner: Joined) -> None:
        fake.plan(Script(said("a ST", finish="length")), Script((*words("OP", " b"), HANG)))
        answer, _ = await read(joined(joiner, packed(stop=["STOP"]), 1, 3))
        assert (text(answer), answer.choices[0].stop_reason) == ("a ", "STOP")
        await asyncio.wait_for(fake.chats()[-1].over.wait(), 30)
        assert fake.chats()[-1].left_early

    given_to(check)


def test_the_model_that_began_goes_on() -> None:
    """The first is back by then, but its tokens are others."""

    async def run() -> None:
        async with FakeBackend() as fake, FakeBackend() as spare, routed(fake.url, spare=spare.url) as route:
            engine = Bytewise("abcdef")
            engine.into(spare)
            fake.plan(Script(status=503, headers=JSON, steps=(b"{}",)))
            answer, _ = await read(joined(Joined(route), packed(), 3, 3))
            assert (text(answer), len(fake.requests), len(engine.parts)) == ("abcdef", 1, 3)

    asyncio.run(run())


def test_the_replica_that_began_goes_on_while_it_can() -> None:
    """It has the tokens in its cache; another is only asked when it does not answer."""

    async def run() -> None:
        async with FakeBackend() as one, FakeBackend() as two, routed(one.url, two.url) as route:
            engines = [Bytewise("abcdef"), Bytewise("abcdef")]
            for engine, fake in zip(engines, (one, two), strict=True):
                engine.into(fake)
            assert text((await read(joined(Joined(route), packed(), 3, 3)))[0]) == "abcdef"
            assert sorted(len(engine.parts) for engine in engines) == [0, 3]
            began = one if engines[0].parts else two
            began.answers["/v1/completions"] = Script(status=500, headers=JSON)
            answers = [await read(joined(Joined(route), packed(), 3, 3)) for _ in range(2)]
            assert [text(answer) for answer, _ in answers] == ["abcdef"] * 2

    asyncio.run(run())
