"""A chat request's shape: what is taken, what it means, and that everything else is refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.endpoint import Asked
from gateway.api.wire import read_chat
from gateway.errors import InvalidValue, Refusal
from gateway.exchange import Closed, Options, PromptRef, Retrieval
from gateway.settings import Server
from serving.events import Choice, Completion, Start, Usage
from tests.gateway.calls import call

HI = {"role": "user", "content": "Hi"}


def read(**body: Any) -> Asked:
    return read_chat(json.dumps({"model": "small", "messages": [HI], **body}).encode(), Server())


def refused(**body: Any) -> Refusal:
    with pytest.raises(InvalidValue) as error:
        read(**body)
    return error.value


def test_the_smallest_request() -> None:
    asked = read()
    assert asked == Asked("small", (HI,), {}, Options(), False, asked.writer)


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


def test_the_gateway_object_becomes_options() -> None:
    wanted = {
        "cache": "refresh",
        "semantic": True,
        "retrieve": {"collection": "docs", "top_k": 6},
        "truncate": "never",
        "on_length": "retry",
        "task": "classify",
        "tags": {"feature": "search"},
        "explain": True,
    }
    options = Options("refresh", True, Retrieval("docs", 6), "retry", {"feature": "search"}, True)
    assert read(gateway=wanted).options == options


def test_what_the_gateway_object_leaves_out_is_up_to_the_template() -> None:
    assert read(gateway={}).options == read(gateway=None).options == read(gateway={"cache": None}).options == Options()


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"cach": "use"}, "gateway.cach"),
        ({"cache": "auto"}, "gateway.cache"),
        ({"semantic": 1}, "gateway.semantic"),
        ({"retrieve": "docs"}, "gateway.retrieve"),
        ({"retrieve": {"collection": "docs", "top_k": 0}}, "gateway.retrieve.top_k"),
        ({"retrieve": {"collection": "docs", "top_k": 51}}, "gateway.retrieve.top_k"),
        ({"retrieve": {"collection": "docs", "k": 1}}, "gateway.retrieve.k"),
        ({"retrieve": {}}, "gateway.retrieve.collection"),
        ({"truncate": "middle"}, "gateway.truncate"),
        ({"on_length": "shout"}, "gateway.on_length"),
        ({"tags": {f"t{i}": "" for i in range(17)}}, "gateway.tags"),
        ({"tags": {"t": "x" * 257}}, "gateway.tags"),
        ({"tags": {"t": "a\nb"}}, "gateway.tags"),
        ({"tags": {"t": 1}}, "gateway.tags.t"),
        ({"tags": {"x" * 65: "t"}}, "gateway.tags"),
        ({"explain": "yes"}, "gateway.explain"),
    ],
)
def test_the_gateway_object_is_strict(wrong: dict[str, Any], param: str) -> None:
    assert refused(gateway=wrong).param == param


def test_a_policy_that_is_not_there_yet_says_so() -> None:
    assert "Only `never` is supported now" in refused(gateway={"truncate": "oldest"}).message


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
    def writes_usage(asked: Asked) -> bool:
        answer = Completion(Start("id", 0, "small"), (Choice(0, {}, "stop"),), Usage())
        return b'"usage":' in asked.writer(call()).closing(Closed(answer, Usage(), (), None, {}))

    assert writes_usage(read(stream=True, stream_options={"include_usage": True, "include_obfuscation": False}))
    assert not writes_usage(read(stream=True, stream_options=None))


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
