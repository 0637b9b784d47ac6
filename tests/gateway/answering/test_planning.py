"""What is set aside for remedies: no more than can run, and no less."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.answering.planning import REPAIR_TOKENS, Space, attempts
from gateway.answering.policy import policy
from gateway.exchange import Attempt, Prompt, wanted
from gateway.settings import Check
from tests.gateway.answering.parts import packed
from tests.gateway.calls import call

SPACE = Space(input=100, given=100, output=50, asked=50, window=4096, rounds=3, fallback=True, shorter=True)
JSON = {"response_format": {"type": "json_object"}}


def prompt(fields: dict[str, Any] | None = None, stream: bool = False, **options: Any) -> Prompt:
    fields = fields or {}
    stops = policy(call(fields=fields, stream=stream, **options), None, None, Check(), wanted(fields))
    return replace(packed(**fields).prompt, on_stop=stops.on_stop, mode=stops.mode)


def planned(prompt: Prompt, /, **space: Any) -> list[tuple[str | None, int, int]]:
    return [(one.remedy, one.input, one.output) for one in attempts(prompt, replace(SPACE, **space))]


@pytest.mark.parametrize("stream", [False, True])
def test_a_plain_request_sets_aside_one_generation(stream: bool) -> None:
    assert attempts(prompt(stream=stream), SPACE) == (Attempt(100, 50),)
    assert attempts(prompt({"n": 3}, stream=stream), SPACE) == (Attempt(100, 150),)


def test_a_retry_of_what_was_cut_has_twice_the_ceiling_and_no_more_than_the_window() -> None:
    asked = prompt(on_length="retry")
    assert planned(asked) == [(None, 100, 50), ("retry", 100, 100)]
    assert planned(asked, window=170)[1] == ("retry", 100, 70)
    assert [remedy for remedy, *_ in planned(asked, window=150)] == [None, "shorten"]


def test_a_retry_of_what_was_not_cut_has_the_same_ceiling() -> None:
    assert planned(prompt(on_stop={"empty": ("retry", "error")}))[1] == ("retry", 100, 50)


def test_each_round_of_continue_reads_what_was_said_before() -> None:
    assert planned(prompt(on_length="continue")) == [
        (None, 100, 50), ("continue", 150, 50), ("continue", 200, 50), ("continue", 250, 50),
    ]  # fmt: skip
    assert planned(prompt(on_length="continue"), window=220)[1:] == [("continue", 150, 50), ("continue", 200, 20)]


@pytest.mark.parametrize("fields", [{"logprobs": True}, {"frequency_penalty": 0.5}, {"ignore_eos": True}])
def test_nothing_is_set_aside_for_parts_that_cannot_run(fields: dict[str, Any]) -> None:
    assert planned(prompt(fields, on_length="continue")) == [(None, 100, 50)]


def test_a_repair_reads_the_answer_and_what_is_wrong_with_it() -> None:
    asked = prompt(JSON)
    assert planned(asked, fallback=False) == [(None, 100, 50), ("repair", 100 + 50 + REPAIR_TOKENS, 50)]
    assert planned(asked)[2] == ("fallback", 100, 50)
    assert planned(asked, fallback=False, window=300)[1] == ("repair", 299, 50)


def test_a_repair_after_a_retry_reads_the_longer_answer() -> None:
    assert planned(prompt(JSON, on_length="retry"), fallback=False)[1:] == [
        ("retry", 100, 100), ("repair", 100 + 100 + REPAIR_TOKENS, 50),
    ]  # fmt: skip


def test_several_choices_are_set_aside_in_each_attempt() -> None:
    assert planned(prompt(JSON | {"n": 2}), fallback=False)[1][2] == 100


def test_a_shorter_prompt_has_room_for_the_whole_ceiling() -> None:
    asked = prompt(on_stop={"window": ("shorten", "error")})
    full = {"input": 4090, "given": 4090, "output": 6, "asked": 50}
    assert planned(asked, **full) == [(None, 4090, 6), ("shorten", 4090, 50)]
    assert planned(asked, **full, shorter=False) == [(None, 4090, 6)]


def test_a_stream_that_is_shown_as_it_comes_plans_no_repair() -> None:
    assert planned(prompt(JSON, stream=True, mode="verdict")) == [(None, 100, 50)]
