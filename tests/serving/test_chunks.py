import json
from typing import Any

import pytest

from serving.chunks import DONE, Reader
from serving.deltas import text_delta
from serving.errors import BackendBroken, BackendError, BackendOverloaded, BackendRejected, BackendUnavailable
from serving.events import Delta, Deltas, End, Event, Start, Stop, Usage


def chunk(*choices: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"id": "c1", "created": 7, "model": "m", "choices": list(choices)} | more).encode()


def choice(delta: dict[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish} | more


def usage(completion: int) -> dict[str, int]:
    return {"prompt_tokens": 5, "completion_tokens": completion, "total_tokens": 5 + completion}


def read(reader: Reader, *payloads: bytes) -> list[Event]:
    return list(reader.read(payloads))


def test_a_whole_stream() -> None:
    reader = Reader("b")
    assert read(reader, chunk(choice({"role": "assistant", "content": ""}))) == [Start("c1", 7, "m")]
    assert read(reader, chunk(choice({"content": "Hi"}), usage=usage(1))) == [
        Deltas((Delta(0, {"content": "Hi"}),), Usage(5, 1))
    ]
    assert read(reader, chunk(choice({}, "stop", stop_reason=2), usage=usage(1))) == []
    total = usage(1) | {"prompt_tokens_details": {"cached_tokens": 4}}
    assert read(reader, chunk(usage=total, metrics={"queue_time_ms": 0.5})) == []
    assert read(reader, DONE) == []
    assert reader.end() == End((Stop(0, "stop", 2),), Usage(5, 1, 4), {"queue_time_ms": 0.5})


def test_an_engine_names_itself_at_the_end() -> None:
    """As vLLM 0.32 does, with the usage; an engine that never does has no name."""
    reader = Reader("b")
    read(reader, chunk(choice({"content": "Hi"}, "stop")))
    assert reader.fingerprint is None
    read(reader, chunk(usage=usage(1), system_fingerprint="vllm-0.32.0-e316e5ec"), DONE)
    assert reader.fingerprint == "vllm-0.32.0-e316e5ec"


def test_running_usage_is_the_sum_over_choices() -> None:
    reader = Reader("b")
    read(reader, chunk(choice({"content": "a"}), usage=usage(3)))
    assert read(reader, chunk(choice({"content": "b"}, index=1), usage=usage(2))) == [
        Deltas((Delta(1, {"content": "b"}),), Usage(5, 5))
    ]


def test_without_a_final_usage_the_running_one_is_the_last_word() -> None:
    reader = Reader("b")
    read(reader, chunk(choice({"content": "a"}, "length"), usage=usage(3)))
    read(reader, DONE)
    assert reader.end().usage == Usage(5, 3)


def test_no_usage_at_all_is_none() -> None:
    reader = Reader("b")
    read(reader, chunk(choice({"content": "a"}, "stop")))
    read(reader, DONE)
    assert reader.end().usage is None


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [
        (choice({"role": "assistant", "content": ""}), False),
        (choice({"role": "assistant"}), False),
        (choice({}), False),
        (choice({"content": None, "tool_calls": []}), False),
        (choice({"content": "x"}), True),
        (choice({"reasoning": "hm"}), True),
        (choice({"content": None, "tool_calls": [{"index": 0}]}), True),
        (choice({}, logprobs={"content": []}), True),
    ],
)
def test_only_what_says_something_is_passed_on(said: dict[str, Any], passed_on: bool) -> None:
    reader = Reader("b")
    read(reader, chunk(choice({"content": "before"})))
    assert bool(read(reader, chunk(said))) == passed_on


def test_tokens_without_text_are_passed_on_for_their_usage() -> None:
    reader = Reader("b")
    read(reader, chunk(choice({"role": "assistant", "content": ""}), usage=usage(0)))
    assert read(reader, chunk(choice({}), usage=usage(1))) == [Deltas((), Usage(5, 1))]
    assert read(reader, chunk(choice({}, "stop"), usage=usage(1))) == []


def test_what_came_together_is_passed_on_together_with_the_last_usage() -> None:
    chunks = [chunk(choice({"content": text}), usage=usage(n)) for n, text in enumerate("abc", 1)]
    assert read(Reader("b"), *chunks, DONE) == [
        Start("c1", 7, "m"),
        Deltas(tuple(Delta(0, {"content": text}) for text in "abc"), Usage(5, 3)),
    ]


def test_token_ids_are_passed_on_where_they_come() -> None:
    """Those of the prompt come beside a chat's choices, and within that of a text completion."""
    reader = Reader("b")
    assert read(reader, chunk(choice({"content": ""}), prompt_token_ids=[1, 2])) == [Start("c1", 7, "m", None, (1, 2))]
    steps = [chunk(choice({"content": text}, token_ids=[n])) for n, text in enumerate(("a", ""), 3)]
    assert read(reader, *steps) == [Deltas((Delta(0, {"content": "a"}),), None, (3, 4))]
    assert read(reader, chunk(choice({}, token_ids=[5]))) == [Deltas((), None, (5,))]  # its text comes later
    completion = chunk({"index": 0, "text": "", "prompt_token_ids": [1, 2], "token_ids": None})
    assert read(Reader("b", text_delta), completion) == [Start("c1", 7, "m", None, (1, 2))]


@pytest.mark.parametrize(
    "payload",
    [chunk(choice({}), prompt_token_ids=7), chunk(choice({}, token_ids="ab")), chunk(choice({}, token_ids={"a": 1}))],
)
def test_token_ids_are_a_list(payload: bytes) -> None:
    with pytest.raises(BackendBroken):
        read(Reader("b"), payload)


def test_what_came_before_a_fault_is_passed_on_before_it_is_told() -> None:
    events = Reader("b").read([chunk(choice({"content": "a"}), usage=usage(1)), b"{"])
    assert [next(events), next(events)] == [Start("c1", 7, "m"), Deltas((Delta(0, {"content": "a"}),), Usage(5, 1))]
    with pytest.raises(BackendBroken):
        next(events)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b"\xff\xfe",
        b"{}",
        b'{"id":"c1","created":7,"model":"m"}',
        b'{"id":"c1","created":"x","model":"m","choices":[]}',
        chunk({"index": 0}),
        chunk(choice("text")),  # type: ignore[arg-type]
        chunk(choice({}) | {"index": "one"}),
        chunk({"delta": {}}),
        chunk(choice({"content": "x"}), usage="much"),
        chunk(choice({"content": "x"}), usage={"prompt_tokens": "many"}),
        chunk(choice({"content": "x"}), usage={"prompt_tokens": [1]}),
        b'{"id":"c1","created":1e999,"model":"m","choices":[]}',
        b"[" * 2000,
    ],
)
def test_anything_but_a_chunk_breaks_the_stream(payload: bytes) -> None:
    with pytest.raises(BackendBroken):
        read(Reader("b"), payload)


def test_timings_are_an_object() -> None:
    with pytest.raises(BackendBroken):
        read(Reader("b"), chunk(metrics=5))


@pytest.mark.parametrize("error", [{"message": "secret prompt", "type": "InternalServerError", "code": 500}, "broken"])
def test_an_error_event_breaks_the_stream_and_quotes_no_message(error: Any) -> None:
    reader = Reader("b")
    read(reader, chunk(choice({"content": "x"})))
    with pytest.raises(BackendBroken, match="reported an error") as raised:
        read(reader, json.dumps({"error": error}).encode())
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("code", "kind"), [(400, BackendRejected), (503, BackendOverloaded), (500, BackendUnavailable), (0, BackendBroken)]
)
def test_an_error_event_before_the_first_chunk_is_the_refusal_of_its_code(code: int, kind: type[BackendError]) -> None:
    error = {"message": "out of vocabulary (parameter=logit_bias)", "param": "logit_bias", "code": code}
    with pytest.raises(BackendError) as raised:
        read(Reader("b"), json.dumps({"error": error}).encode())
    assert type(raised.value) is kind


def test_a_stream_without_its_end_marker_is_broken() -> None:
    reader = Reader("b")
    read(reader, chunk(choice({"content": "x"}, "stop")))
    with pytest.raises(BackendBroken, match="end marker"):
        reader.end()


def test_a_choice_without_a_finish_reason_is_broken() -> None:
    reader = Reader("b")
    read(reader, chunk(choice({"content": "x"}, "stop")))
    read(reader, chunk(choice({"content": "y"}, index=1)))
    read(reader, DONE)
    with pytest.raises(BackendBroken, match="finish reason"):
        reader.end()


def test_nothing_but_the_end_marker_is_broken() -> None:
    reader = Reader("b")
    read(reader, DONE)
    with pytest.raises(BackendBroken, match="finish reason"):
        reader.end()


def test_nothing_may_follow_the_end_marker() -> None:
    reader = Reader("b")
    read(reader, DONE)
    with pytest.raises(BackendBroken, match="after the end marker"):
        read(reader, chunk(choice({"content": "x"})))
