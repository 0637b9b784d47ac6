"""The events of a stream: their bytes, their order, and that what was said arrives whole."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.anthropic.writing import MessageWriter
from gateway.errors import NotFound, Wire
from gateway.exchange import Closed, Opened
from serving.events import Delta, Deltas, End, Event, Fold, Start, Stop, Usage
from tests.gateway.api.anthropic.accumulated import accumulated, events

START = Start("from-the-backend", 1_790_000_000, "small")
OPENED = Opened(START, "miss", ())
USED = Usage(13, 7, 3, 1)
BREAKS = "\u2028\u2029\u0085\x0b\x0c\x1c\r\n\U0001f469\u200d\U0001f680"


def call(number: int, name: str | None, arguments: str) -> dict[str, Any]:
    """A fragment of a tool call; the first of each has its name."""
    first = {"id": f"c{number}", "type": "function"} if name else {}
    return {"index": number, "function": {"arguments": arguments} | ({"name": name} if name else {})} | first


def render(*deltas: dict[str, Any], finish: str = "stop") -> tuple[bytes, Closed]:
    """The stream that says these deltas, and the answer that they are."""
    pieces = [Deltas((Delta(0, delta),), Usage(13, n)) for n, delta in enumerate(deltas, 1)]
    fold, writer = Fold(), MessageWriter("req_1")
    said: tuple[Event, ...] = (START, *pieces, End((Stop(0, finish),), USED))
    for event in said:
        fold.add(event)
    closed = Closed(fold.completion(), USED, (), None, {"request_id": "req_1"})
    return writer.opening(OPENED) + b"".join(map(writer.deltas, pieces)) + writer.closing(closed), closed


GOLDEN = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_req_1","type":"message",'
    b'"role":"assistant","model":"small","content":[],"stop_reason":null,"stop_sequence":null,"usage":'
    b'{"input_tokens":13,"cache_read_input_tokens":0,"output_tokens":1,"output_tokens_details":{"thinking_tokens":0}}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"thinking","thinking":"","signature":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"thinking_delta","thinking":"Hm."}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"signature_delta","signature":"unsigned"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":1,'
    b'"content_block":{"type":"text","text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,'
    b'"delta":{"type":"text_delta","text":"a\\u2028b"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":2,'
    b'"content_block":{"type":"tool_use","id":"c0","name":"look","input":{}}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":2,'
    b'"delta":{"type":"input_json_delta","partial_json":"{}"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":2}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},'
    b'"usage":{"input_tokens":10,"cache_read_input_tokens":3,"output_tokens":7,'
    b'"output_tokens_details":{"thinking_tokens":1}},"gateway":{"request_id":"req_1"}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def test_one_stream_byte_for_byte() -> None:
    said = {"reasoning": "Hm."}, {"content": "a\u2028b"}, {"tool_calls": [call(0, "look", ""), call(0, None, "{}")]}
    assert render(*said)[0] == GOLDEN


def test_an_answer_that_says_nothing_begins_and_ends() -> None:
    begun, delta, stop = events(render()[0])
    assert (begun["type"], delta["type"], stop["type"]) == ("message_start", "message_delta", "message_stop")
    assert begun["message"]["usage"]["input_tokens"] == 10


def test_a_whole_answer() -> None:
    closed = render({"content": "Hello"}, {"tool_calls": [call(0, "look", '{"a": 1}')]})[1]
    assert orjson.loads(orjson.dumps(MessageWriter("req_1").whole(OPENED, closed))) == {
        "id": "msg_req_1",
        "type": "message",
        "role": "assistant",
        "model": "small",
        "content": [
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "c0", "name": "look", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_read_input_tokens": 3,
            "output_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 1},
        },
        "gateway": {"request_id": "req_1"},
    }


def test_text_amid_a_call_comes_after_its_block() -> None:
    said = (
        {"tool_calls": [call(0, "look", '{"a":')]},
        {"content": "\n"},
        {"tool_calls": [call(0, None, " 1}")]},
        {"tool_calls": [call(1, "see", "{}")]},
        {"content": "So."},
    )
    assert accumulated(render(*said)[0])["content"] == [
        {"type": "tool_use", "id": "c0", "name": "look", "input": {"a": 1}},
        {"type": "text", "text": "\n"},
        {"type": "tool_use", "id": "c1", "name": "see", "input": {}},
        {"type": "text", "text": "So."},
    ]


def test_calls_that_take_turns_have_one_open_block_at_a_time() -> None:
    said = (
        {"tool_calls": [call(0, "look", ""), call(1, "see", "")]},
        {"tool_calls": [call(0, None, '{"a":')]},
        {"tool_calls": [call(1, None, '{"b":2}')], "reasoning": "Hm."},
        {"tool_calls": [call(0, None, "1}")]},
    )
    assert accumulated(render(*said)[0])["content"] == [
        {"type": "tool_use", "id": "c0", "name": "look", "input": {"a": 1}},
        {"type": "thinking", "thinking": "Hm.", "signature": "unsigned"},
        {"type": "tool_use", "id": "c1", "name": "see", "input": {"b": 2}},
    ]


def test_a_failure_is_the_last_event() -> None:
    failure = MessageWriter("req_1").failure(Wire.of(NotFound("No such thing."), "req_1"))
    assert failure == (
        b'event: error\ndata: {"type":"error","error":{"type":"not_found_error","message":"No such thing.",'
        b'"details":{"error_code":"not_found"}},"request_id":"req_1"}\n\n'
    )


@pytest.mark.parametrize("text", [BREAKS, "x" * 2**20, '"}\n\nevent: error\n\n'], ids=["breaks", "1 MiB", "framing"])
def test_text_is_identical_by_anyones_idea_of_a_line(text: str) -> None:
    stream = render({"content": text})[0]
    lines = [line for line in stream.decode().splitlines() if line.startswith("data: ")]
    deltas = [orjson.loads(line.removeprefix("data: ")).get("delta", {}) for line in lines]
    assert "".join(delta.get("text", "") for delta in deltas) == text
    assert accumulated(stream)["content"] == [{"type": "text", "text": text}]


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
SAID = st.one_of(
    st.builds(lambda text: {"content": text}, TEXT),
    st.builds(lambda text: {"reasoning": text}, TEXT),
    st.builds(lambda text, thought: {"reasoning": thought, "content": text}, TEXT, TEXT),
    st.just({"refusal": None}),
)


@st.composite
def answers(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What an engine may say: texts and thoughts in any order, among them calls, one after another, in fragments."""
    deltas: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 3))):
        deltas += draw(st.lists(SAID, max_size=3))
        arguments = orjson.dumps({"text": draw(TEXT)}).decode()
        cut = draw(st.integers(0, len(arguments)))
        deltas.append({"tool_calls": [call(number, "look", arguments[:cut])]})
        deltas += draw(st.lists(SAID, max_size=2))
        deltas.append({"tool_calls": [call(number, None, arguments[cut:])]})
    return [*deltas, *draw(st.lists(SAID, max_size=3))]


@given(answers())
def test_a_stream_says_what_the_whole_answer_says(deltas: list[dict[str, Any]]) -> None:
    stream, closed = render(*deltas)
    whole = orjson.loads(orjson.dumps(MessageWriter("req_1").whole(OPENED, closed)))
    streamed = accumulated(stream)
    assert _by_kind(streamed["content"]) == _by_kind(whole["content"])
    assert {**streamed, "content": None} == {**whole, "content": None}


def _by_kind(blocks: Iterable[dict[str, Any]]) -> tuple[str, str, list[dict[str, Any]]]:
    """All text, all thinking, all calls: a whole message does not keep where they were among each other."""
    blocks = list(blocks)
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    thinking = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    return text, thinking, [block for block in blocks if block["type"] == "tool_use"]
