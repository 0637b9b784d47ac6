"""What a choice may say, and what breaks the stream because nobody could join it."""

from typing import Any

import pytest

from serving.chunks import Reader
from serving.deltas import chat_delta, text_delta
from serving.errors import BackendBroken
from tests.serving.test_chunks import choice, chunk, read


def call(**changes: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "id": "c", "type": "function"} | changes]}


WORD = {"token": "a", "logprob": -0.5}
LOGPROBS: tuple[Any, ...] = (5, ["a"], {"a": []}, {"tokens": [5]})  # none of a text completion


@pytest.mark.parametrize(
    "said",
    [
        *(choice({name: 5}) for name in ("role", "content", "reasoning", "reasoning_content", "refusal", "tool_calls")),
        choice({"content": ["a"]}),
        *(choice({"tool_calls": calls}) for calls in ("calls", {"index": 0}, [7], ["call"], [None])),
        *(choice(call(index=index)) for index in ("a", None, 1.5, [0])),
        *(choice(call(function=function)) for function in ("f", 5, ["f"], {"name": 5}, {"arguments": 5})),
        *(choice(call(**{name: 5})) for name in ("id", "type")),
        *(choice({}, logprobs=logprobs) for logprobs in (["a"], 5, "a", {"content": 5}, {"content": {"a": 1}})),
        *(choice({}, logprobs={"content": [entry]}) for entry in ("a", None, {}, {"token": "a"}, WORD | {"token": 5})),
        choice({}, logprobs={"content": [WORD | {"logprob": "low"}]}),
        choice({}, logprobs={"content": [WORD | {"top_logprobs": ["a"]}]}),
    ],
)
def test_a_delta_that_nobody_could_join_breaks_the_stream(said: dict[str, Any]) -> None:
    reader = Reader("b")
    read(reader, chunk(choice({"content": "x"})))
    with pytest.raises(BackendBroken):
        read(reader, chunk(said))


@pytest.mark.parametrize(
    "said",
    [{"text": 5}, *({"text": "a", "logprobs": given} for given in LOGPROBS)],
)
def test_a_text_that_nobody_could_join_breaks_the_stream(said: dict[str, Any]) -> None:
    with pytest.raises(BackendBroken):
        read(Reader("b", text_delta), chunk({"index": 0} | said))


@pytest.mark.parametrize(
    "delta",
    [
        {"role": "assistant", "content": None, "reasoning": None, "tool_calls": None},
        {"tool_calls": [{"index": 1, "function": None}, {"function": {"name": None, "arguments": ""}}]},
        {"audio": {"id": "a"}, "annotations": [1]},
    ],
)
def test_what_may_be_absent_and_what_is_not_known_pass(delta: dict[str, Any]) -> None:
    logprobs = {"content": [WORD | {"logprob": -1, "top_logprobs": [WORD]}], "refusal": None}
    assert chat_delta(choice(delta, logprobs=logprobs)) == delta
