"""A response request's shape: what is taken, which chat completion it becomes, and that all else is refused by name."""

import json
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import response_create_params as params

from gateway.api.endpoint import Asked
from gateway.api.responses.reading import OTHERS, Body, read_response
from gateway.errors import InvalidValue, Refusal
from gateway.exchange import Options, PromptRef, Retrieval
from gateway.settings import Server
from serving.fields import CHAT

HI = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object", "properties": {"a": {"default": None}}}
TOOL = {"type": "function", "name": "look", "description": "Looks", "parameters": SCHEMA, "strict": True}


def read(**body: Any) -> Asked:
    return read_response(json.dumps({"model": "small", "input": "Hi", **body}).encode(), Server()).asked


def refused(**body: Any) -> Refusal:
    with pytest.raises(InvalidValue) as error:
        read(**body)
    return error.value


def test_the_smallest_request() -> None:
    asked = read()
    assert asked == Asked("small", {}, Options(), (HI,))
    assert read(input=[HI]).messages == (HI,)


def test_instructions_are_a_system_message_before_all_others() -> None:
    assert read(instructions="Be brief.").messages == ({"role": "system", "content": "Be brief."}, HI)
    assert read(instructions="").messages == read(instructions=None).messages == (HI,)


def test_fields_have_chats_names_and_places() -> None:
    function = {"name": "look", "description": "Looks", "parameters": SCHEMA, "strict": True}
    asked = read(
        max_output_tokens=64,
        temperature=0.5,
        top_p=0.9,
        tools=[TOOL],
        tool_choice={"type": "function", "name": "look"},
        parallel_tool_calls=False,
        text={"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": None}},
        reasoning={"effort": "low", "summary": "auto"},
        include=["message.output_text.logprobs", "reasoning.encrypted_content"],
        top_logprobs=2,
        seed=7,
    )
    assert asked.fields == {
        "max_completion_tokens": 64,
        "temperature": 0.5,
        "top_p": 0.9,
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
        "reasoning_effort": "low",
        "logprobs": True,
        "top_logprobs": 2,
        "seed": 7,
    }


def test_what_says_nothing_is_not_passed_on() -> None:
    quiet: dict[str, Any] = {
        "tools": [],
        "tool_choice": "auto",
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "reasoning": {"effort": None},
        "include": [],
        "top_logprobs": 0,
        "max_tool_calls": 3,
        "store": True,
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "service_tier": "auto",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
    }
    assert read(**quiet).fields == {}
    assert read(**dict.fromkeys([*Body.model_fields.keys() - {"model", "input"}, *OTHERS.refused])).fields == {}
    assert read(background=False, truncation="disabled").fields == {}


def test_json_mode_and_logprobs_alone() -> None:
    assert read(text={"format": {"type": "json_object"}}).fields == {"response_format": {"type": "json_object"}}
    assert read(include=["message.output_text.logprobs"]).fields == {"logprobs": True}
    assert read(top_logprobs=3).fields == {"logprobs": True, "top_logprobs": 3}


def test_a_choice_with_tools_stays() -> None:
    for choice in ("none", "auto", "required"):
        assert read(tools=[TOOL], tool_choice=choice).fields["tool_choice"] == choice
    assert read(tool_choice="required").fields == {"tool_choice": "required"}  # for the engine to refuse


def test_a_prompt_stands_for_model_and_input_or_beside_them() -> None:
    alone = read(model=None, input=None, prompt={"id": "answer", "version": "v3", "variables": {"question": "Why?"}})
    assert (alone.model, alone.messages) == (None, ())
    assert alone.prompt == PromptRef("answer", "v3", {"question": "Why?"})
    assert read(prompt={"id": "answer"}).messages == (HI,)


def test_the_gateway_object_is_chats() -> None:
    wanted = {"cache": "skip", "retrieve": {"collection": "docs"}}
    assert read(gateway=wanted).options == Options("skip", retrieve=Retrieval("docs"))
    assert refused(gateway={"cach": "use"}).param == "gateway.cach"


@pytest.mark.parametrize("name", OTHERS.refused)
def test_what_is_not_served_says_what_to_do(name: str) -> None:
    error = refused(**{name: {"id": "x"}})
    assert error.param == name
    assert error.message.startswith(f"{name} is not accepted: ")


def test_names_of_chat_are_refused_with_ours() -> None:
    error = refused(messages=[HI])
    assert (error.param, error.message) == ("input", "messages is chat's name; this API has input instead.")
    assert refused(max_completion_tokens=1).param == "max_output_tokens"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"temprature": 1}, "temprature"),
        ({"cache_salt": "x"}, "cache_salt"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": [7]}, "input[0]"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"id": "msg_1"}]}, "input[0]"),
        ({"input": [{"type": "web_search_call", "id": "x", "status": "completed"}]}, "input[0]"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [HI | {"name": "Ada"}]}, "input[0].name"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "input[0].content[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x"}]}]},
            "input[0].content[0].image_url",
        ),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"instructions": ["x"]}, "instructions"),
        ({"prompt": {"id": ""}}, "prompt.id"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_obfuscation": False}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"stream": True, "stream_options": {"include_usage": True}}, "stream_options.include_usage"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].name"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "tool_choice.type"),
        ({"tool_choice": 7}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"reasoning": {"effort": "low", "mode": "pro"}}, "reasoning.mode"),
        ({"include": ["file_search_call.results"]}, "include[0]"),
        ({"truncation": "auto"}, "truncation"),
        ({"background": True}, "background"),
        ({"max_tool_calls": 0}, "max_tool_calls"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        # The bounds are chat's, and so are the names here; the endpoint translates them.
        ({"max_output_tokens": 0}, "max_completion_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "response_format"),
        ({"text": {"format": {"type": "text", "name": "n"}}}, "response_format"),
        ({"reasoning": {"effort": "extreme"}}, "reasoning_effort"),
        ({"tools": [{"type": "function", "name": 7}]}, "tools"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    assert refused(**body).param == param


def test_a_reference_is_told_how_to_become_an_item() -> None:
    """As Vercel's AI SDK sends the turns before unless it is told otherwise."""
    assert "store: false" in refused(input=[HI, {"type": "item_reference", "id": "msg_1"}]).message


def test_items_are_counted_before_they_are_looked_at() -> None:
    assert len(read(input=[HI] * 256).messages) == 256
    assert refused(input=[7] * 257).message == "input has 257 entries; at most 256 are taken."


def test_every_field_of_the_openai_package_is_decided_on() -> None:
    """A newer package with a new field fails here until the field is read, passed on or refused."""
    known = params.ResponseCreateParamsStreaming.__annotations__.keys()
    assert len(known) > 30
    assert known - OTHERS.handled - OTHERS.fields.keys() - OTHERS.refused.keys() == set()


def test_every_field_of_the_engine_is_decided_on(engine: str) -> None:
    schema = httpx2.get(f"{engine}/openapi.json").json()["components"]["schemas"]["ResponsesRequest"]
    assert len(schema["properties"]) > 40
    assert set(schema["properties"]) - OTHERS.handled - OTHERS.fields.keys() - OTHERS.refused.keys() == set()


keys = st.sampled_from(
    [*Body.model_fields, *OTHERS.fields, *OTHERS.refused, "type", "role", "content", "text", "format"]
)
texts = st.sampled_from(["message", "function", "function_call", "input_text", "user", "json_schema"]) | st.text()
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
items = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "function_call", "function_call_output", "reasoning"]) | values,
        "role": st.sampled_from(["user", "assistant"]) | values,
        "content": st.text() | st.lists(st.fixed_dictionaries({"type": texts, "text": values}), max_size=2) | values,
        "call_id": texts, "name": texts, "arguments": texts, "output": values, "summary": st.just([]) | values,
    },
)  # fmt: skip


@given(
    st.dictionaries(keys, values, max_size=4), st.text() | st.lists(items, max_size=4) | values, st.sampled_from([1, 0])
)
def test_any_body_becomes_a_chat_completion_or_is_refused(body: dict[str, Any], given: Any, named: int) -> None:
    request = body | {"input": given} | ({"model": "small"} if named else {})
    try:
        asked = read_response(json.dumps(request).encode(), Server()).asked
    except InvalidValue:
        return
    assert all(message["role"] in ("system", "developer", "user", "assistant", "tool") for message in asked.messages)
    assert asked.fields.keys() <= CHAT.fields.keys()
