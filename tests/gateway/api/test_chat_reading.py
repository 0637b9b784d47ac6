"""A chat request's shape: what is taken, what it means, and that everything else is refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.chat import read_chat
from gateway.api.endpoint import Asked, Wanted
from gateway.errors import InvalidValue, Refusal
from gateway.exchange import Closed, Options, PromptRef
from gateway.settings import Server
from serving.events import Choice, Completion, Start, Usage
from tests.gateway.calls import call

HI = {"role": "user", "content": "Hi"}


def wanted(**body: Any) -> Wanted:
    return read_chat(json.dumps({"model": "small", "messages": [HI], **body}).encode(), Server())


def read(**body: Any) -> Asked:
    return wanted(**body).asked


def refused(**body: Any) -> Refusal:
    with pytest.raises(InvalidValue) as error:
        read(**body)
    return error.value


def test_the_smallest_request() -> None:
    asked = read()
    assert asked == Asked("small", {}, Options(), (HI,))


def test_fields_to_pass_on_are_the_checked_ones_without_nulls() -> None:
    assert read(temperature=0.5, top_p=None, user="u", n=2).fields == {"temperature": 0.5, "n": 2}


def test_a_field_that_may_not_be_sent_on_is_refused_by_name() -> None:
    for name in ("chat_template", "priority", "cache_salt", "vllm_xargs", "nonsense"):
        assert refused(**{name: 1}).param == name


def test_a_prompt_stands_for_model_and_messages_or_beside_them() -> None:
    ref = {"id": "answer", "version": "v3", "variables": {"question": "Why?"}}
    alone = read(model=None, messages=None, prompt=ref)
    assert (alone.model, alone.messages) == (None, ())
    assert alone.prompt == PromptRef("answer", "v3", {"question": "Why?"})
    beside = read(prompt={"id": "answer"})
    assert (beside.messages, beside.prompt) == ((HI,), PromptRef("answer", None, {}))


def test_the_gateway_object_is_read() -> None:
    assert read(gateway={"cache": "refresh"}).options == Options("refresh")
    assert read(gateway={}).options == read(gateway=None).options == Options()
    assert refused(gateway={"cach": "use"}).param == "gateway.cach"


def test_messages_are_counted_before_they_are_looked_at() -> None:
    assert len(read(messages=[HI] * 256).messages) == 256
    assert refused(messages=[HI] * 257).message == "messages has 257 entries; at most 256 are taken."


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"model": "x" * 129}, "model"),
        ({"prompt": "answer"}, "prompt"),
        ({"prompt": {}}, "prompt.id"),
        ({"prompt": {"id": "answer", "variables": []}}, "prompt.variables"),
        ({"stream": "true"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"continuous_usage_stats": True}}, "stream_options.continuous_usage_stats"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
    ],
)
def test_a_wrong_field_is_named(body: dict[str, Any], param: str) -> None:
    assert refused(**body).param == param


def test_usage_is_asked_for_with_the_stream() -> None:
    def writes_usage(options: Any) -> bool:
        answer = Completion(Start("id", 0, "small"), (Choice(0, {}, "stop"),), Usage())
        writer = wanted(stream=True, stream_options=options).writer(call())
        return b'"usage":' in writer.closing(Closed(answer, Usage(), (), None, {}))

    assert writes_usage({"include_usage": True, "include_obfuscation": False})
    assert not writes_usage(None)


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBER = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("model", "messages", "prompt", "stream", "n"), ANY_JSON)))
def test_any_json_is_read_or_refused(body: dict[str, Any]) -> None:
    try:
        read_chat(json.dumps(body).encode(), Server())
    except InvalidValue as error:
        assert error.message  # noqa: PT017 - either outcome is right; another exception is not


@given(ANY_JSON)
def test_any_message_and_any_option_is_read_or_refused(value: Any) -> None:
    for body in ({"messages": [value]}, {"gateway": value}, {"messages": [HI | {"content": value}]}):
        try:
            read(**body)
        except InvalidValue as error:
            assert error.message  # noqa: PT017
