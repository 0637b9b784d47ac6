import json
from typing import Any

import pytest

from serving.chunks import DONE, Reader
from serving.errors import BackendBroken, BackendError, BackendOverloaded, BackendRejected, BackendUnavailable
from serving.events import Delta, End, Start, Stop, Usage


def chunk(*choices: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"id": "c1", "created": 7, "model": "m", "choices": list(choices)} | more).encode()


def choice(delta: dict[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish} | more


def usage(completion: int) -> dict[str, int]:
    return {"prompt_tokens": 5, "completion_tokens": completion, "total_tokens": 5 + completion}


def test_a_whole_stream() -> None:
    reader = Reader("b")
    assert reader.read(chunk(choice({"role": "assistant", "content": ""}))) == [Start("c1", 7, "m")]
    assert reader.read(chunk(choice({"content": "Hi"}), usage=usage(1))) == [
        Delta(0, {"content": "Hi"}, None, Usage(5, 1))
    ]
    assert reader.read(chunk(choice({}, "stop", stop_reason=2), usage=usage(1))) == []
    total = usage(1) | {"prompt_tokens_details": {"cached_tokens": 4}}
    assert reader.read(chunk(usage=total, metrics={"queue_time_ms": 0.5})) == []
    assert reader.read(DONE) == []
    assert reader.end() == End((Stop(0, "stop", 2),), Usage(5, 1, 4), {"queue_time_ms": 0.5})


def test_running_usage_is_the_sum_over_choices() -> None:
    reader = Reader("b")
    reader.read(chunk(choice({"content": "a"}), usage=usage(3)))
    (delta,) = reader.read(chunk(choice({"content": "b"}, index=1), usage=usage(2)))
    assert isinstance(delta, Delta)
    assert delta.usage == Usage(5, 5)


def test_without_a_final_usage_the_running_one_is_the_last_word() -> None:
    reader = Reader("b")
    reader.read(chunk(choice({"content": "a"}, "length"), usage=usage(3)))
    reader.read(DONE)
    assert reader.end().usage == Usage(5, 3)


def test_no_usage_at_all_is_none() -> None:
    reader = Reader("b")
    reader.read(chunk(choice({"content": "a"}, "stop")))
    reader.read(DONE)
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
    reader.read(chunk(choice({"content": "before"})))
    assert bool(reader.read(chunk(said))) == passed_on


def test_tokens_without_text_are_passed_on_for_their_usage() -> None:
    reader = Reader("b")
    reader.read(chunk(choice({"role": "assistant", "content": ""}), usage=usage(0)))
    (delta,) = reader.read(chunk(choice({}), usage=usage(1)))
    assert isinstance(delta, Delta)
    assert delta.usage == Usage(5, 1)


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
        Reader("b").read(payload)


def test_timings_are_an_object() -> None:
    with pytest.raises(BackendBroken):
        Reader("b").read(chunk(metrics=5))


@pytest.mark.parametrize("error", [{"message": "secret prompt", "type": "InternalServerError", "code": 500}, "broken"])
def test_an_error_event_breaks_the_stream_and_quotes_no_message(error: Any) -> None:
    reader = Reader("b")
    reader.read(chunk(choice({"content": "x"})))
    with pytest.raises(BackendBroken, match="reported an error") as raised:
        reader.read(json.dumps({"error": error}).encode())
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("code", "kind"), [(400, BackendRejected), (503, BackendOverloaded), (500, BackendUnavailable), (0, BackendBroken)]
)
def test_an_error_event_before_the_first_chunk_is_the_refusal_of_its_code(code: int, kind: type[BackendError]) -> None:
    error = {"message": "out of vocabulary (parameter=logit_bias)", "param": "logit_bias", "code": code}
    with pytest.raises(BackendError) as raised:
        Reader("b").read(json.dumps({"error": error}).encode())
    assert type(raised.value) is kind


def test_a_stream_without_its_end_marker_is_broken() -> None:
    reader = Reader("b")
    reader.read(chunk(choice({"content": "x"}, "stop")))
    with pytest.raises(BackendBroken, match="end marker"):
        reader.end()


def test_a_choice_without_a_finish_reason_is_broken() -> None:
    reader = Reader("b")
    reader.read(chunk(choice({"content": "x"}, "stop")))
    reader.read(chunk(choice({"content": "y"}, index=1)))
    reader.read(DONE)
    with pytest.raises(BackendBroken, match="finish reason"):
        reader.end()


def test_nothing_but_the_end_marker_is_broken() -> None:
    reader = Reader("b")
    reader.read(DONE)
    with pytest.raises(BackendBroken, match="finish reason"):
        reader.end()


def test_nothing_may_follow_the_end_marker() -> None:
    reader = Reader("b")
    reader.read(DONE)
    with pytest.raises(BackendBroken, match="after the end marker"):
        reader.read(chunk(choice({"content": "x"})))
