from typing import Any

import httpx2
import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.fields import CHAT, COMPLETIONS, EMBEDDINGS, FieldError, Table, allowed

DEEP: dict[str, Any] = {}
for _ in range(40):
    DEEP = {"properties": DEEP}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def shaped(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema} | more}


# For each field that is sent on: what is just inside its bounds, and what is just outside.
Bounds = dict[str, tuple[list[Any], list[Any]]]

GENERATION: Bounds = {
    "max_completion_tokens": ([1, 1_000_000], [0, 1_000_001, True]),
    "max_tokens": ([1, 1_000_000], [0, 1_000_001, -1, 1.5, "1"]),
    "min_tokens": ([0, 1_000_000], [-1, 1_000_001]),
    "ignore_eos": ([True, False], [1]),
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
    "thinking_token_budget": ([0, 100], [-1, 1.5]),
}
BOUNDS: dict[str, Bounds] = {
    "/v1/chat/completions": GENERATION
    | {
        "logprobs": ([True], [1, "true"]),
        "top_logprobs": ([0, 20], [-1, 21]),
        "tools": (
            [[], [TOOL], [TOOL] * 64],  # more do not fit the window of the engine that is asked
            [
                [TOOL] * 129,
                TOOL,
                [{}],
                [{"type": "function"}],
                [TOOL | {"x": 1}],
                [{"type": "code", "function": {}}],
                [7],
            ],
        ),
        "tool_choice": (
            ["none", "auto", "required", {"type": "function", "function": {"name": "f"}}],
            ["any", {}, {"type": "function"}, {"type": "function", "function": {}}, 7],
        ),
        "parallel_tool_calls": ([False], [0]),
        "reasoning_effort": (["none", "low", "max"], ["huge", 7, True]),
        "include_reasoning": ([True], ["yes"]),
    },
    "/v1/completions": GENERATION | {"logprobs": ([0, 5], [-1, 6, True, "1"])},
    "/v1/embeddings": {"dimensions": ([1, 65_536], [0, 65_537, 1.5, "384"])},
}
TABLES: dict[str, Table] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/v1/embeddings": EMBEDDINGS,
}


INSIDE = [
    (path, name, value) for path, bounds in BOUNDS.items() for name, (good, _) in bounds.items() for value in good
]
OUTSIDE = [(path, name, value) for path, bounds in BOUNDS.items() for name, (_, bad) in bounds.items() for value in bad]


@pytest.mark.parametrize("path", TABLES)
def test_every_field_that_is_sent_has_its_bounds_tested(path: str) -> None:
    assert set(BOUNDS[path]) == {name for name, field in TABLES[path].fields.items() if field.sent}


@pytest.mark.parametrize(("path", "name", "value"), INSIDE)
def test_inside_the_bounds(path: str, name: str, value: Any) -> None:
    assert allowed({name: value}, TABLES[path]) == {name: value}
    assert valid(path, name, value)


@pytest.mark.parametrize(("path", "name", "value"), OUTSIDE)
def test_outside_the_bounds(path: str, name: str, value: Any) -> None:
    with pytest.raises(FieldError) as raised:
        allowed({name: value}, TABLES[path])
    assert raised.value.param == name
    assert raised.value.message.startswith(f"{name} ")
    uncountable = "bytes of JSON" in raised.value.message or "levels deep" in raised.value.message
    assert valid(path, name, value) == uncountable


def valid(path: str, name: str, value: Any) -> bool:
    """By the field's schema."""
    return jsonschema_rs.validator_for(dict(TABLES[path].fields[name].check.schema)).is_valid(value)


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, table in TABLES.items() for name in table.refused])
def test_refused_fields_say_what_to_do(path: str, name: str) -> None:
    with pytest.raises(FieldError, match=f"^{name} is not accepted: .{{10}}") as raised:
        allowed({name: False}, TABLES[path])
    assert raised.value.param == name


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_unknown_fields_are_refused_by_name(table: Table) -> None:
    for nothing in (1, None):
        with pytest.raises(FieldError, match="temprature is not a field"):
            allowed({"temprature": nothing}, table)
    with pytest.raises(FieldError) as raised:
        allowed({"x" * 100_000: 1}, table)
    assert len(raised.value.message) < 200


def test_null_is_absent() -> None:
    assert allowed({"temperature": None, "stop": None, "functions": None}) == {}
    assert allowed({"suffix": None, "logprobs": None}, COMPLETIONS) == {}


def test_habits_of_clients_are_dropped() -> None:
    assert allowed({"user": "u", "metadata": {"a": 1}, "store": True, "temperature": 1}) == {"temperature": 1}
    assert allowed({"echo": False, "best_of": 1, "user": "u", "n": 2}, COMPLETIONS) == {"n": 2}


@pytest.mark.parametrize(("name", "value"), [("echo", True), ("best_of", 2), ("best_of", True)])
def test_a_habit_that_asks_for_something_is_refused(name: str, value: Any) -> None:
    with pytest.raises(FieldError, match=f"^{name} must be ") as raised:
        allowed({name: value}, COMPLETIONS)
    assert raised.value.param == name


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_what_the_gateway_handles_is_left_to_it(table: Table) -> None:
    assert allowed(dict.fromkeys(table.handled, 7), table) == {}


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_no_field_is_in_two_parts_of_a_table(table: Table) -> None:
    assert not table.fields.keys() & table.refused.keys()
    assert not table.handled & (table.fields.keys() | table.refused.keys())


names = st.sampled_from([name for t in TABLES.values() for name in (*t.fields, *t.refused, *t.handled)])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(names | st.text(max_size=9), values, max_size=3), st.sampled_from(list(TABLES.values())))
def test_any_body_is_copied_or_refused(body: dict[str, Any], table: Table) -> None:
    outcome = attempt(body, table)
    if isinstance(outcome, FieldError):
        assert outcome.param in {name[:64] for name in body}
    else:
        assert outcome.items() <= body.items()


def attempt(body: dict[str, Any], table: Table) -> dict[str, Any] | FieldError:
    try:
        return allowed(body, table)
    except FieldError as error:
        return error


@pytest.mark.parametrize("path", TABLES)
def test_every_field_of_the_engine_is_decided_on(path: str, engine_fields: dict[str, list[str]]) -> None:
    """A new vLLM with a new field fails here until the field is allowed with bounds, handled or refused."""
    table, known = TABLES[path], set(engine_fields[path])
    assert len(known) > 15
    assert known - table.fields.keys() - table.refused.keys() - table.handled == set()
    sent = {name for name, field in table.fields.items() if field.sent}
    assert sent - known <= {"max_completion_tokens"}  # the gateway names it as the engine does; others would be ignored


ASKS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/completions": {"prompt": "Hi"},
}


@pytest.mark.parametrize("path", ASKS)
def test_the_engine_accepts_what_is_allowed(path: str, engine: str) -> None:
    """Every allowed value, one field at a time, gets past vLLM's own validation."""
    extra: dict[str, dict[str, Any]] = {
        "top_logprobs": {"logprobs": True},
        "tool_choice": {"tools": [TOOL]},
        "n": {"temperature": 1},
    }
    ask = ASKS[path] | {"model": "tiny", "max_tokens": 1, "stream": True}
    beyond_this_model = {"max_tokens": 1_000_000, "max_completion_tokens": 1_000_000, "min_tokens": 1_000_000}
    refusals = []
    with httpx2.Client(trust_env=False, timeout=60) as client:
        for name, (inside, _) in BOUNDS[path].items():
            for value in inside:
                if value in ([], beyond_this_model.get(name)) or (name, value) == ("tool_choice", "none"):
                    continue
                body = ask | extra.get(name, {}) | {name: value}
                with client.stream("POST", f"{engine}{path}", json=body) as answer:
                    if answer.status_code != 200:
                        refusals.append((name, value, answer.read()[:300]))
    assert refusals == []
