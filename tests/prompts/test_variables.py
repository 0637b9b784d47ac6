"""Variables: what is accepted, and what a refusal says (and does not say)."""

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.errors import VariableError
from prompts.variables import Variables, compile_schema

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "question": {"type": "string", "maxLength": 10},
        "tone": {"enum": ["plain", "formal"], "default": "plain"},
        "mail": {"type": "string", "format": "email"},
        "code": {"type": "string", "pattern": "^(a+)+$"},
        "turns": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"text": {"type": "string"}},
                "required": ["text"],
                "additionalProperties": False,
            },
        },
        "any": True,
    },
    "required": ["question"],
    "additionalProperties": False,
}
DEEP: list[Any] = []
for _ in range(300):
    DEEP = [DEEP]


def test_defaults_are_filled_in_and_may_be_replaced() -> None:
    variables = Variables(SCHEMA)
    assert variables.accept({"question": "q"}) == {"question": "q", "tone": "plain"}
    assert variables.accept({"question": "q", "tone": "formal"})["tone"] == "formal"


@pytest.mark.parametrize(
    ("values", "param", "message"),
    [
        ({}, "question", "variable question: is required"),
        ({"question": "secret words"}, "question", "variable question: the value is longer than 10 characters"),
        ({"question": 7}, "question", 'variable question: the value is not of type "string"'),
        ({"question": "q", "tone": "secret"}, "tone", 'variable tone: the value is not one of "plain" or "formal"'),
        ({"question": "q", "mail": "secret"}, "mail", 'variable mail: the value is not a "email"'),
        ({"question": "q", "topic": "secret"}, "topic", "variable topic: is not a variable of this prompt"),
        ({"question": "q", "a secret": 1}, "?", "variable ?: is not a variable of this prompt"),
        ({"question": "q", "turns": [{"text": ""}, {}]}, "turns.1.text", "variable turns.1.text: is required"),
        ({"question": "\ud800"}, "question", "variable question: must be JSON with valid Unicode"),
        ({"question": "q", "any": {"k": "\udfff"}}, "any", "variable any: must be JSON with valid Unicode"),
        ({"question": "q", "any": 2**64}, "any", "variable any: must be JSON with valid Unicode"),
        ({"question": "q", "any": DEEP}, "any", "variable any: must be JSON with valid Unicode"),
        ({"question": "q", "any": {1: 2}}, "any", "variable any: must be JSON with valid Unicode"),
        ({"question": "q", 1: 2}, "", "the variables must be a JSON object with text as keys"),
        ({"question": "q", "\ud800": 2}, "", "the variables must be a JSON object with text as keys"),
    ],
)
def test_a_refusal_names_the_variable_and_not_its_value(values: dict[Any, Any], param: str, message: str) -> None:
    with pytest.raises(VariableError) as caught:
        Variables(SCHEMA).accept(values)
    assert caught.value.param == param
    assert caught.value.message.startswith(message)
    assert "secret" not in str(caught.value)


def test_a_pattern_that_backtracks_elsewhere_is_linear_here() -> None:
    with pytest.raises(VariableError, match="does not match"):
        Variables(SCHEMA).accept({"question": "q", "code": "a" * 100_000 + "b"})


# Any code point, surrogates included.
WORD = st.text(st.characters(), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(SCHEMA["properties"])) | WORD, JSON, max_size=6))
def test_any_object_is_accepted_or_refused(values: dict[str, Any]) -> None:
    try:
        accepted = Variables(SCHEMA).accept(values)
    except VariableError:
        return
    assert accepted.keys() <= SCHEMA["properties"].keys()
    assert "question" in accepted


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"properties": {"a": {"type": "strin"}}}, "properties.a.type: "),
        ({"properties": {"a": {"format": "postcode"}}}, "properties.a.format: Unknown format"),
        ({"properties": {"a": {"pattern": "(?<=a)b"}}}, "properties.a.pattern: "),
        ({"properties": []}, "properties: the value is not of type"),
        ({"properties": {"a": {"type": "integer", "default": "x"}}}, "a.default: does not satisfy the schema of a"),
        ({"$ref": "http://127.0.0.1:9/schema"}, "Retrieval is disabled"),
        ({"$ref": "file:///etc/hostname"}, "Retrieval is disabled"),
        ({"$schema": "http://127.0.0.1:9/schema"}, "Unknown meta-schema"),
        ({"const": math.nan, "maxLength": -1}, "maxLength"),
    ],
)
def test_a_faulty_schema_says_where(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Variables(schema)


def test_references_within_a_schema_work() -> None:
    schema = {"$defs": {"name": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/name", "default": "x"}}}
    assert Variables(schema).accept({}) == {"a": "x"}
    assert compile_schema({"type": "object"}).is_valid({})
