"""The chunks of a stream: frames, order, and text that survives every notion of a line."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.chat import ChatWriter
from gateway.exchange import Closed, Opened
from serving.decode import Decoder
from serving.events import Choice, Completion, Delta, Deltas, Start, Usage

START = Start("from-the-backend", 1_790_000_000, "small", "fp")
TEXTS = [
    "\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e\r\n",
    "\U0001f469\u200d\U0001f680 e\u0301",
    "x" * 2**20,
    '"}\n\ndata: [DONE]\n\n',
]


def closed(*choices: Choice) -> Closed:
    return Closed(Completion(START, choices, Usage(3, 2)), Usage(3, 2), (), None, {"request_id": "req_1"})


def render(deltas: Iterable[Delta], include_usage: bool = False, choices: int = 1, start: Start = START) -> bytes:
    writer = ChatWriter("req_1", include_usage)
    ends = [Choice(i, {}, "stop", 7) for i in range(choices)]
    begun = writer.opening(Opened(start, "miss", ()))
    return begun + writer.deltas(Deltas(tuple(deltas))) + writer.closing(closed(*ends))


def read(stream: bytes) -> list[dict[str, Any]]:
    """The chunks, by the decoder that reads backends."""
    payloads = Decoder().feed(stream)
    assert payloads[-1] == b"[DONE]"
    return [orjson.loads(payload) for payload in payloads[:-1]]


def test_one_stream_in_full() -> None:
    frame = {
        "id": "chatcmpl-req_1",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "small",
        "system_fingerprint": "fp",
    }
    assert read(render([Delta(0, {"content": "Hel"}), Delta(0, {"content": "lo"})])) == [
        frame | {"choices": [_choice(0, {"role": "assistant", "content": "Hel"})]},
        frame | {"choices": [_choice(0, {"content": "lo"})]},
        frame | {"choices": [_choice(0, {}, "stop") | {"stop_reason": 7}], "gateway": {"request_id": "req_1"}},
    ]


def _choice(index: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def test_usage_is_null_until_its_own_last_chunk() -> None:
    *others, last = read(render([Delta(0, {"content": "Hi"})], include_usage=True))
    assert [chunk["usage"] for chunk in others] == [None, None]
    assert not [chunk for chunk in others if "gateway" in chunk]
    assert last["choices"] == []
    assert last["usage"] == Usage(3, 2).openai()
    assert last["gateway"] == {"request_id": "req_1"}


def test_usage_that_was_not_asked_for_is_nowhere() -> None:
    assert not [chunk for chunk in read(render([Delta(0, {"content": "Hi"})])) if "usage" in chunk]


def test_each_choice_has_its_role_once_and_first_and_its_finish_last() -> None:
    pieces = [
        Delta(1, {"role": "assistant", "content": "b"}),
        Delta(0, {"content": "a"}),
        Delta(1, {"role": "x", "content": "c"}),
    ]
    choices = [chunk["choices"][0] for chunk in read(render(pieces, choices=3))]
    assert [("role" in c["delta"], c["index"], c["finish_reason"]) for c in choices] == [
        (True, 1, None), (True, 0, None), (False, 1, None), (False, 0, "stop"), (False, 1, "stop"), (True, 2, "stop"),
    ]  # fmt: skip


def test_what_the_gateway_does_not_know_passes_through() -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": "{"}}
    delta = {"tool_calls": [call], "reasoning": "Hm.", "future": {"x": [1]}}
    logprobs = {"content": [{"token": "H", "logprob": -0.1, "bytes": [72], "top_logprobs": []}]}
    first = read(render([Delta(0, delta, logprobs)]))[0]["choices"][0]
    assert first["delta"] == {"role": "assistant"} | delta
    assert first["logprobs"] == logprobs


@pytest.mark.parametrize("text", TEXTS, ids=["breaks", "emoji", "1 MiB", "framing"])
def test_text_is_identical_whatever_splits_the_lines(text: str) -> None:
    stream = render([Delta(0, {"content": text})])
    lines = [line for line in stream.decode().splitlines() if line]  # Unicode's idea of a line
    by_lines = [orjson.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert _text(read(stream)) == _text(by_lines) == text


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=8), st.integers(1, 64))
def test_any_text_in_any_pieces_over_any_bytes(texts: list[str], size: int) -> None:
    stream = render([Delta(0, {"content": text}) for text in texts])
    decoder = Decoder()
    payloads = [p for at in range(0, len(stream), size) for p in decoder.feed(stream[at : at + size])]
    assert _text([orjson.loads(payload) for payload in payloads[:-1]]) == "".join(texts)


@pytest.mark.parametrize("include_usage", [False, True])
def test_a_model_may_be_called_anything(include_usage: bool) -> None:
    start = Start("id", 1, 'a [] "choices":[] \u2028 é')
    chunks = read(render([Delta(0, {"content": "[]"})], include_usage, start=start))
    assert {chunk["model"] for chunk in chunks} == {start.model}
    assert _text(chunks) == "[]"


def _text(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])
