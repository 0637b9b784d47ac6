"""Why an answer stopped, whatever the engine calls it."""

from typing import Any, get_args

import pytest

from gateway.answering.causes import Bounds, causes, honest, outcome, worst
from gateway.stopping import Cause
from serving.events import Choice, Completion, Start, Usage

BOUNDS = Bounds(window=100, input=10, ceiling=20)
WHOLE, CUT = {"name": "f", "arguments": "{}"}, {"name": "f", "arguments": '{"a'}


def completion(*choices: tuple[str, dict[str, Any]], usage: Usage | None = None) -> Completion:
    made = tuple(Choice(index, message, reason) for index, (reason, message) in enumerate(choices))
    return Completion(Start("id", 1, "small"), made, usage or Usage(10, 20))


def calls(*functions: dict[str, str]) -> dict[str, Any]:
    return {"content": None, "tool_calls": [{"function": function} for function in functions]}


@pytest.mark.parametrize(
    ("reason", "message", "cause"),
    [
        ("stop", {"content": "x"}, "stop"),
        ("stop", {"content": ""}, "empty"),
        ("stop", {"content": None, "reasoning": "hm"}, "empty"),
        ("stop", calls(WHOLE), "tool_calls"),  # what vLLM says of a tool that was named
        ("tool_calls", calls(WHOLE, {"name": "f", "arguments": ""}), "tool_calls"),
        ("tool_calls", calls(WHOLE, CUT), "tool_cut"),
        ("stop", calls(CUT), "tool_cut"),
        ("length", calls(WHOLE), "tool_cut"),  # another may have been about to follow
        ("tool_calls", {"content": "x"}, "tool_calls"),
        ("length", {"content": "x"}, "ceiling"),
        ("length", {"content": "x", "reasoning": "hm"}, "ceiling"),
        ("length", {"content": None, "reasoning": "hm"}, "reasoning"),
        ("length", {"content": "", "reasoning_content": "hm"}, "reasoning"),
        ("length", {"content": None}, "ceiling"),
        ("repetition", {"content": "x"}, "repetition"),
        ("content_filter", {"content": "x"}, "content_filter"),
        ("abort", {"content": "x"}, "abort"),
        ("error", {"content": "x"}, "error"),
        ("something new", {"content": "x"}, "error"),
    ],
)
def test_the_cause_behind_a_finish_reason(reason: str, message: dict[str, Any], cause: Cause) -> None:
    assert causes(completion((reason, message)), BOUNDS) == [cause]


def test_reasoning_that_is_not_shown_is_told_by_its_tokens() -> None:
    said = completion(("length", {"content": None}), usage=Usage(10, 20, reasoning_tokens=20))
    assert causes(said, BOUNDS) == ["reasoning"]


@pytest.mark.parametrize(
    ("bounds", "said", "cause"),
    [
        (Bounds(100, 10, 89), 89, "ceiling"),
        (Bounds(100, 10, 90), 90, "window"),
        (Bounds(100, 10, 90), 5, "window"),  # the window was smaller than what it was taken for
        (Bounds(100, 10, 20), 90, "window"),  # of several parts
        (Bounds(100, 10, 20), 89, "ceiling"),
    ],
)
def test_a_full_window_is_told_from_a_ceiling(bounds: Bounds, said: int, cause: Cause) -> None:
    assert causes(completion(("length", {"content": "x"}), usage=Usage(10, said)), bounds) == [cause]


def test_a_call_that_was_cut_before_the_engine_showed_it_is_told_by_the_silence() -> None:
    offered = Bounds(100, 10, 20, tools=True)
    assert causes(completion(("length", {"content": None})), offered) == ["tool_cut"]
    assert causes(completion(("length", {"content": "x"})), offered) == ["ceiling"]


def test_of_several_choices_the_tokens_are_those_of_all() -> None:
    two = completion(("length", {"content": "x"}), ("stop", {"content": "y"}), usage=Usage(10, 95))
    assert causes(two, BOUNDS) == ["ceiling", "stop"]


def test_the_worst_cause_decides() -> None:
    assert worst(["stop", "ceiling", "tool_calls"]) == "ceiling"
    assert worst(["empty", "invalid"]) == "invalid"
    assert worst([]) == "empty"
    assert all(worst([cause]) == cause for cause in get_args(Cause))


def test_what_an_answer_is_once_it_is_given() -> None:
    by_outcome = {word: {c for c in get_args(Cause) if outcome(c) == word} for word in ("complete", "failed")}
    assert by_outcome == {"complete": {"stop", "tool_calls"}, "failed": {"empty", "invalid", "abort", "error"}}
    assert outcome("ceiling") == "truncated"


def test_a_cut_call_is_called_so() -> None:
    cut, whole = completion(("tool_calls", calls(CUT))), completion(("tool_calls", calls(WHOLE)))
    assert honest(cut).choices[0].finish_reason == "length"
    assert honest(whole) is whole
