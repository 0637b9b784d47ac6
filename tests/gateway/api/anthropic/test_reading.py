"""A Messages request: what is taken, what it is for the engine, and that everything else is refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.anthropic.reading import read_count, read_messages
from gateway.api.endpoint import Asked
from gateway.errors import InvalidValue, Refusal
from gateway.exchange import Options, PromptRef, Retrieval
from gateway.settings import Server

HI = {"role": "user", "content": "Hi"}
BODY = {"model": "small", "max_tokens": 20, "messages": [HI]}
TOOL = {"name": "look", "input_schema": {"type": "object"}}
CHAT_TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def read(**body: Any) -> Asked:
    return read_messages(json.dumps(BODY | body).encode(), Server()).asked


def refused(**body: Any) -> Refusal:
    with pytest.raises(InvalidValue) as error:
        read(**body)
    return error.value


def test_the_smallest_request() -> None:
    asked = read()
    assert asked == Asked("small", {"max_tokens": 20}, Options(), (HI,))


@pytest.mark.parametrize(
    ("theirs", "chats"),
    [
        ({"temperature": 1, "top_p": 0.5, "top_k": 0}, {"temperature": 1, "top_p": 0.5, "top_k": 0}),
        ({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"tools": [TOOL]}, {"tools": [CHAT_TOOL]}),
        (
            {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            {"tools": [CHAT_TOOL], "tool_choice": "auto", "parallel_tool_calls": False},
        ),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"thinking_token_budget": 1024}),
        ({"output_config": {"effort": "high"}}, {"reasoning_effort": "high"}),
        ({"output_config": {"effort": "high"}, "thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "output", "schema": SCHEMA}}},
        ),
        ({"tools": [], "stop_sequences": None, "thinking": None, "stream": None}, {}),
        ({"metadata": {"user_id": "u"}, "service_tier": "auto", "cache_control": {"type": "ephemeral"}}, {}),
    ],
)
def test_a_field_is_passed_on_under_chats_name(theirs: dict[str, Any], chats: dict[str, Any]) -> None:
    assert read(**theirs, max_tokens=2048).fields == {"max_tokens": 2048} | chats


def test_our_own_objects_are_as_in_chat() -> None:
    ours = {"cache": "skip", "retrieve": {"collection": "docs"}, "on_length": "retry", "tags": {"a": "b"}}
    asked = read(gateway=ours, prompt={"id": "answer", "version": "v3", "variables": {"question": "Why?"}}, stream=True)
    assert asked.options == Options("skip", None, Retrieval("docs"), "retry", {"a": "b"})
    assert asked.prompt == PromptRef("answer", "v3", {"question": "Why?"})
    assert asked.stream
    alone = read(model=None, messages=None, prompt={"id": "answer"})
    assert (alone.model, alone.messages) == (None, ())


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"nonsense": 1}, "nonsense"),
        ({"n": 1}, "n"),
        ({"container": "c"}, "container"),
        ({"cache_salt": "x"}, "cache_salt"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [HI, {"role": "assistant", "content": "The answer is ("}]}, "messages"),
        ({"model": None}, "model"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "20"}, "max_tokens"),
        ({"max_tokens": 1_000_001}, "max_tokens"),
        ({"temperature": 1.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"stop_sequences": "x"}, "stop_sequences"),
        ({"stop_sequences": ["x"] * 5}, "stop_sequences"),
        ({"stop_sequences": [""]}, "stop_sequences"),
        ({"stream": "true"}, "stream"),
        ({"system": 7}, "system"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"tool_choice": {"type": "auto"}}, "tool_choice"),
        ({"gateway": {"nonsense": 1}}, "gateway.nonsense"),
        ({"prompt": {}}, "prompt.id"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1024}, "thinking.budget_tokens"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"a": "x" * 2**16}}}},
            "output_config.format",
        ),
    ],
)
def test_a_wrong_field_is_named(body: dict[str, Any], param: str) -> None:
    error = refused(**body)
    assert error.param == param
    assert param.split("[")[0] in error.message


def test_max_tokens_is_required() -> None:
    with pytest.raises(InvalidValue, match="max_tokens is required"):
        read_messages(json.dumps({"model": "small", "messages": [HI]}).encode(), Server())


def count(**body: Any) -> Asked:
    return read_count(json.dumps({"model": "small", "messages": [HI]} | body).encode(), Server())


def test_a_count_takes_what_has_tokens_and_nothing_else() -> None:
    assert count(tools=[TOOL], thinking={"type": "disabled"}, system="x").fields == {
        "tools": [CHAT_TOOL],
        "reasoning_effort": "none",
    }
    assert count(messages=[HI, {"role": "assistant", "content": "Hello"}]).messages[1]["content"] == "Hello"
    for name in ("max_tokens", "temperature", "stream", "metadata"):
        with pytest.raises(InvalidValue, match=f"{name} is not a field"):
            count(**{name: 1})


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBER = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)
FIELDS = (
    "model", "messages", "system", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "stream", "tools",
    "tool_choice", "thinking", "output_config", "metadata", "prompt", "gateway",
)  # fmt: skip


@given(st.sampled_from(FIELDS), ANY_JSON)
def test_any_value_of_a_field_is_read_or_refused(name: str, value: Any) -> None:
    for body in ({name: value}, {"tools": [TOOL], "tool_choice": {"type": "any"}, name: [value]}):
        try:
            read(**body)
        except InvalidValue as error:
            assert error.message  # noqa: PT017 - either outcome is right; another exception is not
