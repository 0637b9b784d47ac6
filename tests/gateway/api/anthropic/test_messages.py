"""Anthropic's conversations: what each becomes in chat, and that what cannot be served is refused at its place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.anthropic.reading import read_count
from gateway.api.chat import read_chat
from gateway.errors import InvalidValue, Refusal
from gateway.exchange import Message
from gateway.settings import Server

CALL = {"type": "tool_use", "id": "t1", "name": "look", "input": {"city": "Rome", "days": [1, 2]}}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
SEALED = {"type": "redacted_thinking", "data": "x"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def result(**more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t1", **more}


def read(*messages: Any, **more: Any) -> tuple[Message, ...]:
    body = {"model": "small", "messages": messages, **more}
    return read_count(json.dumps(body).encode(), Server()).messages


def refused(*messages: Any, **more: Any) -> Refusal:
    with pytest.raises(InvalidValue) as error:
        read(*messages, **more)
    return error.value


@pytest.mark.parametrize(
    ("content", "chat"),
    [
        ("Hi", [{"role": "user", "content": "Hi"}]),
        ([text("Hi", cache_control={"type": "ephemeral"})], [{"role": "user", "content": "Hi"}]),
        ([text("a"), text("b")], [{"role": "user", "content": [text("a"), text("b")]}]),
        ([result(content="sunny")], [{"role": "tool", "tool_call_id": "t1", "content": "sunny"}]),
        ([result()], [{"role": "tool", "tool_call_id": "t1", "content": ""}]),
        ([result(content=[])], [{"role": "tool", "tool_call_id": "t1", "content": ""}]),
        (
            [text("And?"), result(content=[text("a"), text("b")], is_error=True), result(content="c")],
            [
                {"role": "tool", "tool_call_id": "t1", "content": [text("a"), text("b")]},
                {"role": "tool", "tool_call_id": "t1", "content": "c"},
                {"role": "user", "content": "And?"},
            ],
        ),
    ],
)
def test_what_a_user_says(content: Any, chat: list[Message]) -> None:
    assert list(read({"role": "user", "content": content})) == chat


@pytest.mark.parametrize(
    ("content", "chat"),
    [
        ("Hi", {"content": "Hi"}),
        ([], {"content": None}),
        ([text("a", citations=None), text("b", citations=[{}])], {"content": [text("a"), text("b")]}),
        ([THOUGHT, SEALED, THOUGHT], {"content": None, "reasoning": "Hm.Hm."}),
        (
            [THOUGHT, text("Let me look."), CALL | {"caller": {"type": "direct"}, "cache_control": None}],
            {
                "content": "Let me look.",
                "reasoning": "Hm.",
                "tool_calls": [
                    {
                        "id": "t1",
                        "type": "function",
                        "function": {"name": "look", "arguments": '{"city":"Rome","days":[1,2]}'},
                    }
                ],
            },
        ),
    ],
)
def test_what_the_assistant_said(content: Any, chat: Message) -> None:
    assert read({"role": "assistant", "content": content}) == ({"role": "assistant", **chat},)


def test_instructions_come_first_or_where_they_are() -> None:
    hi, amid = {"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}
    assert read(hi, amid, system="Speak French.") == ({"role": "system", "content": "Speak French."}, hi, amid)
    parts = [text("a", cache_control={"type": "ephemeral"}), text(""), text("b")]
    assert read(hi, system=parts)[0] == {"role": "system", "content": [text("a"), text("b")]}
    for nothing in ("", [], [text("")], None):
        assert read(hi, system=nothing) == (hi,)


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Hi", "messages[0]"),
        ({"content": "Hi"}, "messages[0]"),
        ({"role": "tool", "content": "Hi"}, "messages[0]"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": None}, "messages[0].content"),
        ({"role": "user", "content": []}, "messages[0].content"),
        ({"role": "user", "content": "Hi", "name": "x"}, "messages[0].name"),
        ({"role": "user", "content": ["Hi"]}, "messages[0].content[0]"),
        ({"role": "user", "content": [CALL]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "tool_result"}]}, "messages[0].content[0].tool_use_id"),
        ({"role": "user", "content": [result(content=7)]}, "messages[0].content[0].content"),
        ({"role": "assistant", "content": [result()]}, "messages[0].content[0]"),
        ({"role": "assistant", "content": [CALL | {"input": "{}"}]}, "messages[0].content[0].input"),
        ({"role": "assistant", "content": [CALL | {"id": ""}]}, "messages[0].content[0].id"),
        ({"role": "system", "content": []}, "messages[0].content"),
    ],
)
def test_a_wrong_message_is_refused_at_its_place(message: Any, param: str) -> None:
    assert refused(message).param == param


@pytest.mark.parametrize(
    ("content", "place"), [([IMAGE], "content[0]"), ([result(content=[IMAGE])], "content[0].content[0].type")]
)
def test_an_image_is_told_that_only_text_is_served(content: Any, place: str) -> None:
    error = refused({"role": "user", "content": content})
    assert error.param == f"messages[0].{place}"
    assert "only text is served" in error.message.lower()


def test_tool_results_count_as_messages() -> None:
    assert len(read({"role": "user", "content": [result()] * 256})) == 256
    assert "are 257; at most 256" in refused({"role": "user", "content": [result()] * 257}).message
    assert "has 257 entries" in refused(*[{"role": "user", "content": "Hi"}] * 257).message


WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
TEXTS = st.builds(text, WORDS)
RESULTS = st.builds(
    lambda name, said, wrong: result(tool_use_id=name, content=said, is_error=wrong),
    NAMES,
    st.none() | WORDS | st.lists(TEXTS, max_size=2),
    st.none() | st.booleans(),
)
CALLS = st.builds(
    lambda id, name, given: CALL | {"id": id, "name": name, "input": given},
    NAMES,
    NAMES,
    st.dictionaries(WORDS, ANY_JSON, max_size=3),
)
THOUGHTS = st.builds(lambda said: THOUGHT | {"thinking": said}, WORDS) | st.just(SEALED)
USERS = WORDS | st.lists(TEXTS | RESULTS, min_size=1, max_size=4)
ASSISTANTS = WORDS | st.lists(TEXTS | CALLS | THOUGHTS, max_size=4)
TURNS = st.one_of(
    st.builds(lambda content: {"role": "user", "content": content}, USERS),
    st.builds(lambda content: {"role": "assistant", "content": content}, ASSISTANTS),
    st.builds(lambda content: {"role": "system", "content": content}, WORDS | st.lists(TEXTS, min_size=1, max_size=2)),
)


@given(st.lists(TURNS, min_size=1, max_size=5))
def test_any_conversation_becomes_one_that_chat_takes(turns: list[Any]) -> None:
    messages = read(*turns)
    chat = json.dumps({"model": "small", "messages": messages}).encode()
    assert read_chat(chat, Server()).asked.messages == messages
    said = [block["text"] for turn in turns for block in _blocks(turn["content"]) if block["type"] == "text"]
    kept = [part["text"] for m in messages if m["role"] != "tool" for part in _blocks(m["content"])]
    assert kept == said


def _blocks(content: Any) -> list[Any]:
    return [text(content)] if isinstance(content, str) else content or []


@given(ANY_JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    for turn in (value, {"role": "user", "content": value}, {"role": "assistant", "content": [value]}):
        try:
            read(turn)
        except InvalidValue as error:
            assert error.message  # noqa: PT017 - either outcome is right; another exception is not
