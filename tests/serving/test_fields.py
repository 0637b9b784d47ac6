from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.fields import FIELDS, HANDLED, REFUSED, FieldError, allowed

DEEP: dict[str, Any] = {}
for _ in range(40):
    DEEP = {"properties": DEEP}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def shaped(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema} | more}


# For each field that is sent on: what is just inside its bounds, and what is just outside.
BOUNDS: dict[str, tuple[list[Any], list[Any]]] = {
    "max_tokens": ([1, 1_000_000], [0, 1_000_001, -1, 1.5, "1"]),
    "max_completion_tokens": ([1, 1_000_000], [0, 1_000_001, True]),
    "min_tokens": ([0, 1_000_000], [-1, 1_000_001]),
    "n": ([1, 4], [0, 5, 16384, "2"]),
    "stop": (["a", "x" * 64, ["a"] * 4, []], ["", "x" * 65, ["a"] * 5, ["x" * 65], [7], 7]),
    "stop_token_ids": ([[0], [1] * 16], [[-1], [1] * 17, [True], 7]),
    "include_stop_str_in_output": ([True], [1]),
    "temperature": ([0, 2, 0.7], [-0.1, 2.1, "0", True]),
    "top_p": ([0.1, 1], [-0.1, 1.1]),
    "top_k": ([-1, 0, 50], [-2, 1.5]),
    "min_p": ([0, 1], [-0.1, 1.1]),
    "presence_penalty": ([-2, 2], [-2.1, 2.1]),
    "frequency_penalty": ([-2, 2], [-2.1, 2.1]),
    "repetition_penalty": ([0.01, 2], [0, 2.1, -1]),
    "repetition_detection": (
        [{"max_pattern_size": 5, "min_count": 3}, {"max_pattern_size": 5, "min_count": 3, "min_pattern_size": 2}],
        [{}, {"max_pattern_size": 5}, {"max_pattern_size": 0, "min_count": 3}, 7],
    ),
    "seed": ([0, -(2**63), 2**63 - 1], [2**63, -(2**63) - 1, 1.5]),
    "logit_bias": (
        [{}, {"5": -100, "6": 100.0}, {str(i): 1 for i in range(300)}],
        [{"5": 101}, {"five": 1}, {"-1": 1}, {"": 1}, {"²": 1}, {str(i): 1 for i in range(301)}, [], {"5": "1"}],
    ),
    "bad_words": ([["a"] * 32], [["a"] * 33, ["x" * 65], "a"]),
    "logprobs": ([True], [1, "true"]),
    "top_logprobs": ([0, 20], [-1, 21]),
    "response_format": (
        [{"type": "text"}, {"type": "json_object"}, shaped(SCHEMA), shaped(SCHEMA, strict=True, description="d")],
        [
            {},
            "text",
            {"type": "json_schema"},
            {"type": "json_schema", "json_schema": {"name": "n"}},
            {"type": "structural_tag"},
            {"type": []},
            {"type": "text", "more": 1},
            shaped(SCHEMA, other=1),
            shaped(DEEP),
            shaped({"a": "x" * 70_000}),
            shaped([]),
        ],
    ),
    "structured_outputs": (
        [{"json": SCHEMA}, {"regex": "a+"}, {"choice": ["a"]}, {"grammar": "x", "disable_any_whitespace": True}],
        [
            {},
            {"json": SCHEMA, "regex": "a"},
            {"json": "text"},
            {"regex": "x" * 1025},
            {"choice": ["a"] * 257},
            {"choice": "a"},
            {"grammar": "x" * 16_385},
            {"structural_tag": "x"},
            {"json": DEEP},
            [],
        ],
    ),
    "tools": (
        [[], [TOOL], [TOOL] * 64],
        [[TOOL] * 65, TOOL, [{}], [{"type": "function"}], [TOOL | {"x": 1}], [{"type": "code", "function": {}}], [7]],
    ),
    "tool_choice": (
        ["none", "auto", "required", {"type": "function", "function": {"name": "f"}}],
        ["any", {}, {"type": "function"}, {"type": "function", "function": {}}, 7],
    ),
    "parallel_tool_calls": ([False], [0]),
    "reasoning_effort": (["none", "low", "max"], ["huge", 7, True]),
    "include_reasoning": ([True], ["yes"]),
    "thinking_token_budget": ([0, 100], [-1, 1.5]),
}


def test_every_field_that_is_sent_has_its_bounds_tested() -> None:
    assert set(BOUNDS) == {name for name, field in FIELDS.items() if field.sent}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, (inside, _) in BOUNDS.items() for value in inside])
def test_inside_the_bounds(name: str, value: Any) -> None:
    assert allowed({name: value}) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (_, outside) in BOUNDS.items() for value in outside]
)
def test_outside_the_bounds(name: str, value: Any) -> None:
    with pytest.raises(FieldError) as raised:
        allowed({name: value})
    assert raised.value.param == name
    assert raised.value.message.startswith(f"{name} ")


@pytest.mark.parametrize("name", REFUSED)
def test_refused_fields_say_what_to_do(name: str) -> None:
    with pytest.raises(FieldError, match=f"^{name} is not accepted: .{{10}}") as raised:
        allowed({name: None})
    assert raised.value.param == name


def test_unknown_fields_are_refused_by_name() -> None:
    with pytest.raises(FieldError, match="temprature is not a field"):
        allowed({"temprature": 1})
    with pytest.raises(FieldError) as raised:
        allowed({"x" * 100_000: 1})
    assert len(raised.value.message) < 200


def test_null_is_absent() -> None:
    assert allowed({"temperature": None, "stop": None}) == {}


def test_habits_of_clients_are_dropped() -> None:
    assert allowed({"user": "u", "metadata": {"a": 1}, "store": True, "temperature": 1}) == {"temperature": 1}


def test_what_the_gateway_handles_is_left_to_it() -> None:
    assert allowed(dict.fromkeys(HANDLED, 7)) == {}


def test_no_field_is_in_two_tables() -> None:
    assert not FIELDS.keys() & REFUSED.keys()
    assert not HANDLED & (FIELDS.keys() | REFUSED.keys())


names = st.sampled_from([*FIELDS, *REFUSED, *HANDLED]) | st.text(max_size=9)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(names, values, max_size=3))
def test_any_body_is_copied_or_refused(body: dict[str, Any]) -> None:
    outcome = attempt(body)
    if isinstance(outcome, FieldError):
        assert outcome.param in {name[:64] for name in body}
    else:
        assert outcome.items() <= body.items()


def attempt(body: dict[str, Any]) -> dict[str, Any] | FieldError:
    try:
        return allowed(body)
    except FieldError as error:
        return error


def test_every_field_of_the_engine_is_decided_on(engine: str) -> None:
    """A new vLLM with a new field fails here until the field is allowed with bounds, handled or refused."""
    schema = httpx2.get(f"{engine}/openapi.json").json()["components"]["schemas"]["ChatCompletionRequest"]
    assert len(schema["properties"]) > 50
    assert set(schema["properties"]) - FIELDS.keys() - REFUSED.keys() - HANDLED == set()


def test_the_engine_accepts_what_is_allowed(engine: str) -> None:
    """Every allowed value, one field at a time, gets past vLLM's own validation."""
    extra: dict[str, dict[str, Any]] = {
        "top_logprobs": {"logprobs": True},
        "tool_choice": {"tools": [TOOL]},
        "n": {"temperature": 1},
    }
    ask: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    ask["stream"] = True
    beyond_this_model = {"max_tokens": 1_000_000, "max_completion_tokens": 1_000_000, "min_tokens": 1_000_000}
    refusals = []
    with httpx2.Client(trust_env=False, timeout=60) as client:
        for name, (inside, _) in BOUNDS.items():
            for value in inside:
                if value in ([], beyond_this_model.get(name)) or (name, value) == ("tool_choice", "none"):
                    continue
                body = ask | extra.get(name, {}) | {name: value}
                with client.stream("POST", f"{engine}/v1/chat/completions", json=body) as answer:
                    if answer.status_code != 200:
                        refusals.append((name, value, answer.read()[:300]))
    assert refusals == []
