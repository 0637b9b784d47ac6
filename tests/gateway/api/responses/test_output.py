"""The items of an answer: their order, what ends them, and that a stream tells of the items of a whole answer."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.said import called, said, stopped
from tests.gateway.api.responses.answers import streamed, thinking, whole
from tests.gateway.api.responses.typed import events, response, told


def tool(index: int, arguments: str | None = None, **named: Any) -> dict[str, Any]:
    function = {name: value for name, value in (("name", named.get("name")), ("arguments", arguments)) if value}
    return {"tool_calls": [{"index": index, **named.get("head", {}), "function": function}]}


def begun(index: int) -> dict[str, Any]:
    return tool(index, name=f"f{index}", head={"id": f"c{index}", "type": "function"})


def test_reasoning_is_done_before_the_answer_begins() -> None:
    steps = thinking({"reasoning": "Hm"}, {"reasoning": "m."}, {"content": "Four."})
    assert told(events(streamed(steps)))[2:-1] == [
        "output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.delta",
        "reasoning_text.done", "content_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done",
    ]  # fmt: skip
    reasoning, message = whole(steps)["output"]
    assert (reasoning["type"], reasoning["content"]) == ("reasoning", [{"type": "reasoning_text", "text": "Hmm."}])
    assert (message["type"], message["content"][0]["text"]) == ("message", "Four.")
    assert (reasoning["id"], message["id"]) == ("rs_req_1_0", "msg_req_1_1")


def test_older_engines_call_the_reasoning_otherwise() -> None:
    assert whole(thinking({"reasoning_content": "Hm."}))["output"][0]["type"] == "reasoning"


def test_words_of_a_kind_that_come_again_are_a_new_item() -> None:
    steps = thinking({"reasoning": "a"}, {"content": "b"}, {"reasoning": "c"}, {"content": "d"})
    added = [event["item"]["type"] for event in events(streamed(steps)) if event["type"].endswith("item.added")]
    assert added == ["reasoning", "message", "reasoning", "message"]


def test_calls_may_take_turns() -> None:
    steps = thinking(
        {"content": "Look."}, begun(0), begun(1), tool(0, '{"a"'), tool(1, "{"), tool(0, ": 1}"), tool(1, "}")
    )
    message, first, second = events(streamed(steps))[-1]["response"]["output"]
    assert message["content"][0]["text"] == "Look."
    assert (first["call_id"], first["name"], first["arguments"]) == ("c0", "f0", '{"a": 1}')
    assert (second["call_id"], second["name"], second["arguments"]) == ("c1", "f1", "{}")
    assert {item["status"] for item in (message, first, second)} == {"completed"}


def test_a_call_without_an_id_has_one() -> None:
    (item,) = whole(thinking(tool(0, "{}", name="f")))["output"]
    assert item["call_id"] == item["id"] == "fc_req_1_0"


def test_what_a_cut_answer_was_saying_is_incomplete() -> None:
    def statuses(*steps: Mapping[str, Any]) -> list[str]:
        body = events(streamed(thinking(*steps, finish="length")))[-1]["response"]
        assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
        return [item["status"] for item in body["output"]]

    assert statuses({"reasoning": "Hm."}, {"content": "Fo"}) == ["completed", "incomplete"]
    assert statuses({"content": "Look."}, begun(0), tool(0, "{}"), begun(1), tool(1, "{")) == [
        "completed", "completed", "incomplete",
    ]  # fmt: skip


def test_an_answer_that_says_nothing_has_no_items() -> None:
    assert whole(stopped())["output"] == []
    assert told(events(streamed(stopped()))) == ["created", "in_progress", "completed"]


def test_logprobs_ride_on_the_text() -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": "Ho", "logprob": -1.0}]}
    [start, step, *rest] = thinking({"content": "Hi"})
    logged = step.replace(
        b'"logprobs": null',
        b'"logprobs": {"content": [%b]}' % str(token).replace("'", '"').replace("None", "null").encode(),
    )
    wanted = [
        {"token": "Hi", "bytes": [], "logprob": -0.5, "top_logprobs": [{"token": "Ho", "bytes": [], "logprob": -1.0}]}
    ]
    stream = events(streamed([start, logged, *rest]))
    assert [e["logprobs"] for e in stream if "output_text" in e["type"]] == [wanted, wanted]
    assert stream[-1]["response"]["output"][0]["content"][0]["logprobs"] == wanted
    assert whole([start, logged, *rest])["output"] == stream[-1]["response"]["output"]


ANSWERS = {
    "text": said("Hello", " world"),
    "nothing": stopped(),
    "call": called("look", '{"x": true}'),
    "all": thinking({"reasoning": "Hm."}, {"content": "Look."}, begun(0), tool(0, "{}"), begun(1), tool(1, "{}")),
    "at once": thinking({"reasoning": "Hm.", "content": "Look."} | begun(0)),
    "cut": said("Hel", finish="length"),
}


@pytest.mark.parametrize("steps", ANSWERS.values(), ids=ANSWERS)
def test_a_stream_ends_with_the_response_of_a_buffered_call(steps: Iterable[bytes]) -> None:
    last = events(streamed(steps))[-1]
    assert last["response"] == whole(steps)
    assert last["type"] == f"response.{response(whole(steps)).status}"


deltas = st.one_of(
    st.fixed_dictionaries({"content": st.text(min_size=1, max_size=5)}),
    st.fixed_dictionaries({"reasoning": st.text(min_size=1, max_size=5)}),
    st.builds(begun, st.integers(0, 3)),
    st.builds(tool, st.integers(0, 3), st.text(min_size=1, max_size=5)),
)


@given(st.lists(deltas, max_size=12), st.sampled_from(["stop", "length"]))
def test_whatever_comes_the_items_are_what_their_deltas_said(steps: list[dict[str, Any]], finish: str) -> None:
    stream = events(streamed(thinking(*steps, finish=finish)))
    output = stream[-1]["response"]["output"]
    for index, item in enumerate(output):
        deltas = [e["delta"] for e in stream if e.get("output_index") == index and e["type"].endswith(".delta")]
        grown = item["arguments"] if item["type"] == "function_call" else item["content"][0]["text"]
        assert "".join(deltas) == grown
        ends = [e["item"] for e in stream if e["type"].endswith("item.done") and e["output_index"] == index]
        assert ends == [item]
    assert "in_progress" not in {item["status"] for item in output}
    assert len({item["id"] for item in output}) == len(output)
