"""From items to chat messages: one turn is one message, whatever items it was."""

from typing import Any

from pydantic import TypeAdapter

from gateway.api.responses.conversation import conversation
from gateway.api.responses.input import AnyItem, Item

ITEMS: TypeAdapter[list[Item]] = TypeAdapter(list[AnyItem])
CALL = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
CALLED = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def messages(*items: dict[str, Any]) -> list[Any]:
    return list(conversation(ITEMS.validate_python(list(items), strict=True)))


def said(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(parts)}


def thought(*texts: str) -> dict[str, Any]:
    content = [{"type": "reasoning_text", "text": text} for text in texts]
    return {"type": "reasoning", "id": "rs_1", "summary": [], "content": content}


def test_messages_of_each_role_with_or_without_a_type() -> None:
    items = [{"role": role, "content": f"by {role}"} for role in ("system", "developer", "user", "assistant")]
    assert messages(*items) == items
    assert messages(*[{"type": "message", **item} for item in items]) == items


def test_one_text_is_plain_and_several_are_parts() -> None:
    one, two = {"type": "input_text", "text": "a"}, {"type": "output_text", "text": "b", "annotations": []}
    assert messages(said("user", one)) == [{"role": "user", "content": "a"}]
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert messages(said("user", one, two)) == [{"role": "user", "content": parts}]
    assert messages(said("user")) == [{"role": "user", "content": []}]


def test_an_image_keeps_its_detail() -> None:
    url = "data:image/png;base64,AA=="
    for detail in ({"detail": "low"}, {}):
        part = {"type": "image_url", "image_url": {"url": url, **detail}}
        image = {"type": "input_image", "image_url": url, **detail}
        assert messages(said("user", image)) == [{"role": "user", "content": [part]}]


def test_what_a_model_did_in_one_turn_is_one_message() -> None:
    answer = said("assistant", {"type": "output_text", "text": "Let me see.", "annotations": [], "logprobs": []})
    turn = {"role": "assistant", "content": "Let me see.", "reasoning": "Hm.\nAh.", "tool_calls": [CALLED, CALLED]}
    assert messages(thought("Hm.", "Ah."), answer, CALL, CALL) == [turn]


def test_a_call_without_words_has_null_content() -> None:
    assert messages(CALL) == [{"role": "assistant", "content": None, "tool_calls": [CALLED]}]


def test_what_was_said_in_between_parts_the_turns() -> None:
    output = {"type": "function_call_output", "call_id": "c1", "output": "42"}
    assert [message["role"] for message in messages(CALL, output, CALL, output, {"role": "user", "content": "?"})] == [
        "assistant", "tool", "assistant", "tool", "user",
    ]  # fmt: skip
    assert messages(output) == [{"role": "tool", "tool_call_id": "c1", "content": "42"}]


def test_an_output_of_parts_is_their_texts() -> None:
    output = {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "42"}]}
    assert messages(output) == [{"role": "tool", "tool_call_id": "c1", "content": "42"}]


def test_reasoning_without_a_text_of_its_own_leaves_nothing() -> None:
    summary = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Thought hard."}]}
    assert messages(summary | {"encrypted_content": "gAAA"}) == []
    assert messages(summary, CALL) == [{"role": "assistant", "content": None, "tool_calls": [CALLED]}]


def test_a_refusal_is_what_was_said() -> None:
    assert messages(said("assistant", {"type": "refusal", "refusal": "No."})) == [
        {"role": "assistant", "content": "No."}
    ]
