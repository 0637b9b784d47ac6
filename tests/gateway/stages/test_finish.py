"""What becomes of an answer that cannot be given as it came: what is seen, what is sent, what is billed."""

import asyncio
import itertools
import json
from contextlib import aclosing, suppress
from typing import Any

import pytest

from gateway.errors import OutputInvalid, OutputTruncated
from gateway.exchange import Call, Closed, Opened
from serving.errors import BackendBroken, BackendUnavailable
from serving.events import Deltas, Usage
from tests.fakes.backend import HANG, JSON, RST, Script, Seen, first, last, piece, said, words
from tests.fakes.said import silent
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call
from tests.gateway.conftest import Make
from tests.gateway.waiting import waited

GOOD = '{"a": 1}'
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
STRUCTURED: dict[str, Any] = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
}
DONE = b"data: [DONE]\n\n"


def cut(*texts: str) -> Script:
    return Script(said(*texts, finish="length"))


def sent(core: Assembled, count: int) -> list[dict[str, Any]]:
    """The bodies of the last requests."""
    return [seen.body for seen in core.chats()[-count:]]


def test_return_gives_the_cut_answer_and_says_so(core: Assembled) -> None:
    core.fake.plan(cut("a", "b"))
    outcome = core.ask(on_length="return")
    assert outcome.text == "ab"
    assert outcome.closed.gateway["stop"] == {
        "verdict": "truncated", "cause": "ceiling", "finish_reasons": ["length"], "remedies": [],
    }  # fmt: skip
    core.assert_settled(outcome.call)


def test_error_refuses_it_with_the_number_of_tokens(core: Assembled) -> None:
    core.fake.plan(cut("a", "b"))
    outcome = core.ask(on_length="error")
    assert isinstance(outcome.error, OutputTruncated)
    assert "after 2 tokens" in str(outcome.error)
    assert outcome.error.param == "max_completion_tokens"


def test_retry_asks_once_more_with_twice_the_ceiling(core: Assembled) -> None:
    core.fake.plan(cut("x", "y", "z"), Script(said("a", "b", "c", "d")))
    outcome = core.ask(on_length="retry", fields={"max_tokens": 3})
    assert outcome.text == outcome.streamed == "abcd"
    assert [body["max_completion_tokens"] for body in sent(core, 2)] == [3, 6]
    assert outcome.closed.usage == Usage(2 * 13, 3 + 4)
    core.assert_settled(outcome.call)


def test_retry_does_not_ask_again_when_the_first_is_whole(core: Assembled) -> None:
    before = len(core.chats())
    outcome = core.ask(on_length="retry")
    assert (outcome.text, outcome.streamed, len(core.chats()) - before) == ("Hello world", "Hello world", 1)
    assert outcome.closed.usage == Usage(13, 2)
    core.assert_settled(outcome.call)


def test_retry_that_is_cut_again_is_refused_and_billed_once_for_both(core: Assembled) -> None:
    core.fake.plan(cut("x", "y"), cut("a", "b", "c"))
    outcome = core.ask(on_length="retry")
    assert isinstance(outcome.error, OutputTruncated)
    row = core.row(outcome.call)
    assert (row["input_tokens"], row["output_tokens"]) == (26, 5)
    core.assert_settled(outcome.call)


def test_retry_of_several_choices_doubles_each(core: Assembled) -> None:
    starts = (first(0), first(1), piece({"content": "a"}, 1, index=0), piece({"content": "b"}, 1, index=1))
    half = (*starts, piece({}, 1, "stop", index=0), piece({}, 1, "length", index=1), last(2), DONE)
    whole = (*starts, piece({}, 1, "stop", index=0), piece({}, 1, "stop", index=1), last(2), DONE)
    core.fake.plan(Script(half), Script(whole))
    outcome = core.ask(on_length="retry", fields={"n": 2, "max_tokens": 10})
    assert [c.message["content"] for c in outcome.closed.completion.choices] == ["a", "b"]
    assert [body["max_completion_tokens"] for body in sent(core, 2)] == [10, 20]
    assert outcome.closed.usage == Usage(26, 4)
    core.assert_settled(outcome.call)


def left(core: Assembled, asked: Call, tokens: int) -> None:
    """Leave once so many tokens of the request's last generation were said, of which nothing was shown."""
    before = len(core.chats())

    async def leaving() -> None:
        async with aclosing(core.runtime.pipeline.run(asked)) as running:
            task = asyncio.ensure_future(anext(running))
            await asyncio.to_thread(
                waited, lambda: len(core.chats()) - before == 2 and core.chats()[-1].tokens == tokens
            )
            await asyncio.sleep(0.2)  # for what was said to arrive
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    core.do(leaving())


def test_a_client_that_leaves_in_the_second_attempt_pays_for_the_first_and_for_what_was_said(core: Assembled) -> None:
    """Nothing of either has reached it, but the usage of both reaches the ledger while they run."""
    core.fake.plan(cut("x", "y"), Script((*words("a"), HANG)))
    asked = call(on_length="retry", cache="skip")
    left(core, asked, 1)
    row = core.row(asked)
    assert (row["status"], row["input_tokens"], row["output_tokens"]) == (499, 26, 3)
    core.assert_settled(asked)


def test_a_second_generation_that_fails_leaves_the_first_to_be_paid(make: Make) -> None:
    gateway = make(route={"attempts": 1})
    gateway.fake.plan(cut("x", "y"), Script(status=500, headers=JSON))
    outcome = gateway.ask(on_length="retry")
    assert isinstance(outcome.error, BackendUnavailable)
    row = gateway.row(outcome.call)
    assert (row["input_tokens"], row["output_tokens"]) == (13, 2)
    gateway.assert_settled(outcome.call)


def test_a_first_generation_is_paid_though_its_backend_gave_no_running_usage(make: Make) -> None:
    """Its usage is known at its end only; then the second generation fails."""
    gateway = make(route={"attempts": 1})
    chunks = tuple(s.replace(b'"usage": {', b'"ignored": {') for s in words("four", "word", finish="length"))
    gateway.fake.plan(Script((*chunks, DONE)), Script(status=500, headers=JSON))
    outcome = gateway.ask(on_length="retry")
    assert isinstance(outcome.error, BackendUnavailable)
    row = gateway.row(outcome.call)
    assert (row["input_tokens"], row["output_tokens"]) == (13, 4)
    gateway.assert_settled(outcome.call)


def test_continue_is_one_answer_and_one_stream_of_all_parts(core: Assembled) -> None:
    parts = ("The quick br", "own fox — üb", "er 東京 jumps,")
    core.fake.plan(*[cut(*part) for part in parts], Script(said(*" over.")))
    outcome = core.ask(on_length="continue", fields={"max_tokens": 12}, stream=True)
    assert outcome.text == outcome.streamed == "".join(parts) + " over."
    assert outcome.closed.gateway["stop"] == {
        "verdict": "complete", "cause": "stop", "finish_reasons": ["stop"], "remedies": ["continue"],
    }  # fmt: skip
    assert [type(answer) for answer in outcome.answers if not isinstance(answer, Deltas)] == [Opened, Closed]
    assert outcome.closed.usage == Usage(4 * 13, 3 * 12 + 6)
    core.assert_settled(outcome.call)


def test_continue_gives_up_after_its_rounds_and_says_that_it_is_cut(core: Assembled) -> None:
    core.fake.plan(*[cut(letter) for letter in "abcd"])
    before = len(core.chats())
    outcome = core.ask(on_length="continue", fields={"max_tokens": 1})
    assert (outcome.text, len(core.chats()) - before) == ("abcd", 4)
    assert outcome.closed.gateway["stop"]["verdict"] == "truncated"
    assert outcome.closed.usage == Usage(4 * 13, 4)
    core.assert_settled(outcome.call)


def test_continue_that_breaks_is_paid_for_all_its_parts(core: Assembled) -> None:
    core.fake.plan(cut("a", "b"), Script((*words("c"), RST)))
    outcome = core.ask(on_length="continue", fields={"max_tokens": 2})
    assert isinstance(outcome.error, BackendBroken)
    row = core.row(outcome.call)
    assert (row["input_tokens"], row["output_tokens"], row["stop"]) == (26, 3, "failed")
    core.assert_settled(outcome.call)


def test_an_answer_of_nothing_is_not_continued(core: Assembled) -> None:
    core.fake.plan(Script(silent("length")))
    before = len(core.chats())
    outcome = core.ask(on_length="continue", fields={"max_tokens": 1})
    assert (len(core.chats()) - before, outcome.closed.gateway["stop"]["verdict"]) == (1, "truncated")


CUT_TOOL = {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a": '}}
WHOLE_TOOL = {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
TOOLS = {"tools": [{"type": "function", "function": {"name": "f"}}]}


def called(tool: dict[str, Any]) -> Script:
    """A tool call as vLLM 0.32 ends it: `tool_calls`, even when it was cut."""
    return Script((first(), piece({"tool_calls": [tool]}, 1, "tool_calls"), last(1), DONE))


@pytest.mark.parametrize("policy", ["error", "return"])
def test_a_tool_call_that_was_cut_is_told_by_its_arguments(core: Assembled, policy: str) -> None:
    core.fake.plan(called(CUT_TOOL))
    outcome = core.ask(fields=TOOLS, on_length=policy)
    if policy == "error":
        assert isinstance(outcome.error, OutputTruncated)
    else:
        assert outcome.closed.gateway["stop"]["cause"] == "tool_cut"
        assert outcome.closed.gateway["stop"]["finish_reasons"] == ["length"]
        assert outcome.closed.completion.choices[0].finish_reason == "length"
    core.assert_settled(outcome.call)


def test_a_tool_call_that_was_cut_is_asked_again(core: Assembled) -> None:
    core.fake.plan(called(CUT_TOOL), called(WHOLE_TOOL))
    outcome = core.ask(fields=TOOLS, on_length="retry")
    assert outcome.closed.completion.choices[0].message["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'
    core.assert_settled(outcome.call)


def test_a_client_that_leaves_while_it_is_given_what_was_held_back_pays_all_of_it(core: Assembled) -> None:
    core.fake.plan(Script(said("a", "b", "c", "d")))
    asked = call(on_length="retry", cache="skip", stream=True)
    core.do(core.leaving(asked, 2))
    row = core.row(asked)
    assert (row["status"], row["output_tokens"]) == (499, 4)
    core.assert_settled(asked)


def test_in_verdict_mode_a_piece_is_shown_before_the_next_one_is_said(core: Assembled) -> None:
    core.fake.plan(Script((*words("a", "b"), HANG)))
    asked = call(mode="verdict", fields=STRUCTURED, stream=True, cache="skip")
    core.do(core.leaving(asked, 3))  # Opened and both pieces
    assert core.row(asked)["output_tokens"] == 2
    core.assert_settled(asked)


def test_in_strict_mode_a_stream_that_fails_has_shown_nothing(core: Assembled) -> None:
    core.fake.plan(Script(said("x", "x", finish="repetition")))
    outcome = core.ask(mode="strict", stream=True)
    assert isinstance(outcome.error, OutputInvalid)
    assert [answer for answer in outcome.answers if not isinstance(answer, Deltas) or answer.pieces] == []


def test_an_answer_that_can_no_longer_become_valid_is_stopped_early_and_repaired(core: Assembled) -> None:
    wrong = '{"a": "' + "x" * 400
    pieces = [wrong[at : at + 40] for at in range(0, len(wrong), 40)]
    core.fake.plan(Script((*words(*pieces, '", "b": "', "y" * 200), HANG)), Script(said(GOOD)))
    outcome = core.ask(fields=STRUCTURED)
    assert outcome.text == GOOD
    assert outcome.closed.gateway["stop"]["remedies"] == ["repair"]
    first, second = core.chats()[-2:]
    waited(lambda: first.left_early)
    *_, answer, fault = second.body["messages"]
    assert answer["role"] == "assistant"
    assert answer["content"].startswith(wrong)
    assert (fault["role"], "/a" in fault["content"]) == ("user", True)
    assert "xxx" not in fault["content"]
    core.assert_settled(outcome.call)


def test_a_second_attempt_that_is_refused_is_no_fault_of_the_clients(core: Assembled) -> None:
    refusal = b'{"error": {"message": "bad", "type": "BadRequestError", "code": 400}}'
    core.fake.plan(Script(said('{"a": "x"}')), Script((refusal,), status=400, headers=JSON))
    outcome = core.ask(fields=STRUCTURED)
    assert isinstance(outcome.error, BackendBroken)
    assert "it refused the repair (400)" in str(outcome.error)
    assert core.row(outcome.call)["input_tokens"] == 13
    core.assert_settled(outcome.call)


def test_the_tokens_that_are_told_are_those_of_all_attempts(core: Assembled) -> None:
    core.fake.plan(Script(said('{"a": "x"}')), Script(said(GOOD)))
    tokens = core.ask(fields=STRUCTURED).closed.gateway["tokens"]
    assert (tokens["input"], tokens["output"]) == (26, 2)


def test_an_answer_that_was_stopped_early_is_priced_as_the_alias_that_began_it(make: Make) -> None:
    prices = {"small": {"input": 1.0, "output": 2.0}, "other": {"input": 10.0, "output": 20.0}}
    gateway = make(prices=prices)
    gateway.fake.plan(Script((*words('{"a": "', *["x" * 40] * 10, '", "b": "', "y" * 200), HANG)))
    gateway.spare.plan(Script(said(GOOD)))
    outcome = gateway.ask(fields=STRUCTURED, on_stop={"invalid": ("fallback", "error")})
    row = gateway.row(outcome.call)
    assert (outcome.text, row["input_tokens"]) == (GOOD, 26)
    assert row["cost_nano"] == (13 * 1 + (row["output_tokens"] - 1) * 2 + 13 * 10 + 1 * 20) * 1000
    gateway.assert_settled(outcome.call)


def test_what_only_stands_around_json_is_taken_away_and_said_so(core: Assembled) -> None:
    core.fake.plan(Script(said("```json\n", GOOD, "\n```")))
    outcome = core.ask(fields=STRUCTURED)
    assert outcome.text == outcome.streamed == GOOD
    assert outcome.closed.gateway["checks"]["schema"] == "repaired"
    core.assert_settled(outcome.call)


def test_text_that_was_shown_already_cannot_be_repaired(core: Assembled) -> None:
    core.fake.plan(Script(said("```json\n", GOOD, "\n```")))
    outcome = core.ask(fields=STRUCTURED, stream=True, mode="verdict")
    assert isinstance(outcome.error, OutputInvalid)
    core.assert_settled(outcome.call)


def test_a_repair_prompt_longer_than_was_set_aside_is_not_sent_and_the_trace_says_so(make: Make) -> None:
    gateway = make()
    counts = itertools.chain([13], itertools.repeat(3000))

    async def counted(seen: Seen) -> Script:
        body = {"count": next(counts) if len(seen.body["messages"]) == 1 else 3000, "max_model_len": 4096, "tokens": []}
        return Script((json.dumps(body).encode(),), headers=JSON)

    gateway.fake.answers["/tokenize"] = counted
    gateway.fake.plan(Script(said("no")))
    outcome = gateway.ask(fields=STRUCTURED, on_stop={"invalid": ("repair", "error")})
    assert isinstance(outcome.error, OutputInvalid)
    (attempt,) = (
        stage["facts"] for stage in gateway.row(outcome.call)["detail"]["stages"] if stage["stage"] == "attempt"
    )
    assert attempt["skipped"] == ["repair: it needs a prompt of 3000 tokens, and 589 were set aside"]
    gateway.assert_settled(outcome.call)


def test_a_broken_answer_that_nobody_saw_is_asked_for_again_where_the_policy_says_so(core: Assembled) -> None:
    core.fake.plan(Script((*words("x"), RST)), Script(said("z")))
    outcome = core.ask(on_stop={"error": ("retry", "error")})
    assert (outcome.text, outcome.closed.usage) == ("z", Usage(26, 2))
    core.assert_settled(outcome.call)


def test_several_choices_are_repaired_if_one_is_wrong_and_the_trace_keeps_no_name_that_the_model_made_up(
    core: Assembled,
) -> None:
    def both(one: str, other: str) -> Script:
        said = (piece({"content": one}, 1, "stop", index=0), piece({"content": other}, 1, "stop", index=1))
        return Script((first(0), first(1), *said, last(2), DONE))

    core.fake.plan(both(GOOD, '{"a": 1, "Mallory": 2}'), both(GOOD, GOOD))
    closed = STRUCTURED["response_format"]["json_schema"]["schema"] | {"additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": closed}}
    outcome = core.ask(fields={"n": 2, "response_format": wanted}, cache="skip")
    assert [choice.message["content"] for choice in outcome.closed.completion.choices] == [GOOD, GOOD]
    assert [body.get("n") for body in sent(core, 2)] == [2, 2]
    assert "Mallory" in sent(core, 1)[0]["messages"][-2]["content"]
    assert "Mallory" not in json.dumps(core.row(outcome.call)["detail"])
    assert outcome.closed.usage == Usage(26, 4)
    core.assert_settled(outcome.call)


def test_a_retry_that_was_not_cut_is_sampled_otherwise(core: Assembled) -> None:
    core.fake.plan(Script(said("x", "x", finish="repetition")), Script(said("z")))
    core.ask(on_stop={"repetition": ("retry", "error")}, fields={"seed": 7})
    bodies = sent(core, 2)
    assert [body["seed"] for body in bodies] == [7, 8]
    assert [body.get("repetition_penalty") for body in bodies] == [None, 1.1]
    core.fake.plan(Script(silent()), Script(said("z")))
    core.ask(on_stop={"empty": ("retry", "error")})
    assert sent(core, 1)[0]["min_tokens"] == 1


def test_retry_asks_only_for_more(make: Make) -> None:
    """Where the window has no room for a longer answer, the same cut would be paid twice."""
    gateway = make()
    gateway.fake.plan(Script(said("a", finish="length")))
    outcome = gateway.ask(fields={"max_tokens": 1_000_000}, on_length="retry")
    assert isinstance(outcome.error, OutputTruncated)
    assert len(gateway.chats()) == 1
    gateway.assert_settled(outcome.call)
