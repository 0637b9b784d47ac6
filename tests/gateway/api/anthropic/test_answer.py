"""The parts of an answer: blocks, the reason to stop, usage."""

from typing import Any

import orjson
import pytest

from gateway.api.anthropic.answer import content, stopped, usage
from serving.events import Choice, Usage


def call(arguments: str | None) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": "look", "arguments": arguments}}


CALLED = {"tool_calls": [call("{}")]}


def test_thinking_comes_before_text_and_calls_come_last() -> None:
    message = {"content": "Let me look.", "reasoning": "Hm.", "tool_calls": [call('{"a": 1}'), call(None)]}
    assert orjson.loads(orjson.dumps(content(message))) == [
        {"type": "thinking", "thinking": "Hm.", "signature": "unsigned"},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {}},
    ]


def test_an_answer_that_says_nothing_has_no_blocks() -> None:
    assert content({"role": "assistant", "content": None, "reasoning": "", "tool_calls": []}) == []


def test_older_engines_name_for_thinking() -> None:
    assert content({"reasoning_content": "Hm."})[0]["thinking"] == "Hm."


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ('{"n": 123456789012345678901234567890}', b'{"n": 123456789012345678901234567890}'),
        ('{"a": ' * 300 + "1" + "}" * 300, b'{"a": ' * 300 + b"1" + b"}" * 300),
        ('{"city": "Ro', b"{}"),
        ("[1]", b"{}"),
        ("7", b"{}"),
    ],
    ids=["beyond 64 bits", "deep", "cut", "a list", "a number"],
)
def test_arguments_are_written_as_the_model_wrote_them_if_they_are_an_object(arguments: str, written: bytes) -> None:
    assert orjson.dumps(content({"tool_calls": [call(arguments)]})[0]["input"]) == written


@pytest.mark.parametrize(
    ("message", "finish", "stop", "reason", "sequence"),
    [
        ({}, "stop", None, "end_turn", None),
        ({}, "stop", 151645, "end_turn", None),
        ({}, "stop", "END", "stop_sequence", "END"),
        ({}, "length", None, "max_tokens", None),
        ({}, "content_filter", None, "refusal", None),
        ({}, "repetition", None, "max_tokens", None),
        ({}, "another", None, "end_turn", None),
        (CALLED, "tool_calls", None, "tool_use", None),
        (CALLED, "stop", None, "tool_use", None),  # so vLLM says of a call that was forced
        (CALLED, "tool_calls", "END", "tool_use", None),
        (CALLED, "length", None, "max_tokens", None),
        (CALLED, "length", "END", "stop_sequence", "END"),
    ],
)
def test_why_an_answer_ended(
    message: dict[str, Any], finish: str, stop: str | int | None, reason: str, sequence: str | None
) -> None:
    assert stopped(Choice(0, message, finish, stop), {}) == {"stop_reason": reason, "stop_sequence": sequence}


def test_what_came_from_the_cache_is_told_apart() -> None:
    assert usage(Usage(100, 20, 64, 5)) == {
        "input_tokens": 36,
        "cache_read_input_tokens": 64,
        "output_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 5},
    }


def test_no_count_is_below_zero_whatever_the_engine_claims() -> None:
    assert usage(Usage(10, 2, 1000, 1000))["input_tokens"] == 0


def test_a_full_window_is_told_from_a_ceiling() -> None:
    told = {cause: stopped(Choice(0, {}, "length"), {"stop": {"cause": cause}}) for cause in ("ceiling", "window")}
    assert told["ceiling"]["stop_reason"] == "max_tokens"
    assert told["window"]["stop_reason"] == "model_context_window_exceeded"
