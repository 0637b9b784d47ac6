"""What becomes of an answer that was cut by length, by each policy: what is seen, what is sent, what is billed."""

from typing import Any

import pytest

from gateway.errors import OutputTruncated
from serving.errors import BackendBroken, BackendUnavailable
from serving.events import Usage
from tests.fakes.backend import HANG, JSON, RST, Script, first, last, piece, said, words
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call
from tests.gateway.conftest import Make

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
    assert outcome.closed.gateway["stop"] == {"verdict": "truncated", "finish_reasons": ["length"]}
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


def test_a_client_that_leaves_while_the_first_is_held_back_pays_for_it(core: Assembled) -> None:
    """Nothing of the first generation reaches the client before its end, but its usage reaches the ledger."""
    core.fake.plan(cut("x", "y"), Script((*words("a"), HANG)))
    asked = call(on_length="retry")
    core.do(core.leaving(asked, 2))  # Opened and the second generation's first delta
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


def test_continue_joins_without_a_lost_or_repeated_character(core: Assembled) -> None:
    parts = ("The quick br", "own fox — üb", "er 東京 jumps ", "over.")  # a token a letter
    core.fake.plan(*[cut(*part) for part in parts[:-1]], Script(said(*parts[-1])))
    outcome = core.ask(on_length="continue", fields={"max_tokens": 12})
    assert outcome.text == outcome.streamed == "".join(parts)
    told = {"verdict": "complete", "cause": "stop", "finish_reasons": ["stop"], "remedies": ["continue"]}
    assert outcome.closed.gateway["stop"] == told
    begun = [body["messages"][-1] for body in sent(core, 4)]
    assert begun[0]["role"] == "user"
    assert [m["content"] for m in begun[1:]] == ["".join(parts[:n]) for n in (1, 2, 3)]
    assert all(m["role"] == "assistant" for m in begun[1:])
    flags = [(body.get("continue_final_message"), body.get("add_generation_prompt")) for body in sent(core, 4)]
    assert flags == [(None, None), (True, False), (True, False), (True, False)]
    assert outcome.closed.usage == Usage(4 * 13, sum(map(len, parts)))
    core.assert_settled(outcome.call)


def test_continue_is_one_stream(core: Assembled) -> None:
    core.fake.plan(cut("a"), Script(said("b")))
    outcome = core.ask(on_length="continue", fields={"max_tokens": 1})
    assert [type(answer).__name__ for answer in outcome.answers] == ["Opened", "Deltas", "Deltas", "Closed"]


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
    assert (row["input_tokens"], row["output_tokens"]) == (26, 3)
    core.assert_settled(outcome.call)


def test_an_answer_of_nothing_is_not_continued(core: Assembled) -> None:
    core.fake.plan(Script((first(), piece({}, 1, "length"), last(1), DONE)))
    before = len(core.chats())
    outcome = core.ask(on_length="continue")
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
        assert outcome.closed.gateway["stop"] == {"verdict": "truncated", "finish_reasons": ["length"]}
        assert outcome.closed.completion.choices[0].finish_reason == "length"
    core.assert_settled(outcome.call)


def test_a_tool_call_that_was_cut_is_asked_again(core: Assembled) -> None:
    core.fake.plan(called(CUT_TOOL), called(WHOLE_TOOL))
    outcome = core.ask(fields=TOOLS, on_length="retry")
    assert outcome.closed.completion.choices[0].message["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'
    core.assert_settled(outcome.call)


def test_a_client_that_leaves_during_the_replay_pays_the_whole_generation(core: Assembled) -> None:
    core.fake.plan(Script(said("a", "b", "c", "d")))
    asked = call(on_length="retry", cache="skip")
    core.do(core.leaving(asked, 2))
    row = core.row(asked)
    assert (row["status"], row["output_tokens"]) == (499, 4)
    core.assert_settled(asked)


def test_retry_asks_only_for_more(make: Make) -> None:
    """Where the window has no room for a longer answer, the same cut would be paid twice."""
    gateway = make()
    gateway.fake.plan(Script(said("a", finish="length")))
    outcome = gateway.ask(fields={"max_tokens": 1_000_000}, on_length="retry")
    assert isinstance(outcome.error, OutputTruncated)
    assert len(gateway.chats()) == 1
    gateway.assert_settled(outcome.call)
