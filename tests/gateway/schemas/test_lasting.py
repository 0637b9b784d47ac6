"""Of the faults of a beginning: which no continuation can heal."""

import json
from typing import Any

import pytest

from gateway.schemas.lasting import lasting
from gateway.schemas.validators import Validator


def place(schema: dict[str, Any], value: Any) -> list[str | int] | None:
    """Where the first lasting fault is."""
    fault = lasting(value, Validator(schema, json.dumps(schema).encode()).errors(value))
    return fault.instance_path if fault else None


NEEDS_A = {"required": ["a"]}


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({}, None),
        ([{}], None),  # the last one may still get its `a`
        ([{}, {}], [0]),
        ([{"a": 1}, {}], None),
        ([{}, 1], [0]),
        ({"x": [{}, []]}, None),
    ],
)
def test_what_lies_along_the_right_edge_may_be_open(value: Any, where: list[str | int] | None) -> None:
    assert place({"items": NEEDS_A}, value) == where


@pytest.mark.parametrize(
    ("schema", "value", "lasts"),
    [
        ({"type": "object"}, [], True),
        ({"maxItems": 1}, [1, 2], True),
        ({"maxProperties": 1}, {"a": 1, "b": 2}, True),
        ({"additionalProperties": False}, {"a": 1}, True),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, True),
        ({"properties": {"a": False}}, {"a": 1}, True),
        ({"minItems": 2}, [1], False),
        ({"uniqueItems": True}, [1, 1], False),
        ({"contains": {"const": 2}}, [1], False),
        ({"const": [1, 2]}, [1], False),
        ({"not": {"maxItems": 3}}, [1], False),
        ({"if": True, "then": {"maxItems": 0}}, [1], False),
        ({"unevaluatedItems": False}, [1], False),
        ({"anyOf": [{"type": "null"}, {"maxItems": 0}]}, [1], True),
        ({"anyOf": [{"type": "null"}, {"minItems": 2}]}, [1], False),
        ({"oneOf": [{"maxItems": 2}, {"minItems": 1}]}, [1], False),
        ({"oneOf": [{"type": "null"}, {"anyOf": [{"type": "string"}]}]}, [1], True),
    ],
)
def test_in_what_is_open_few_faults_last(schema: dict[str, Any], value: Any, lasts: bool) -> None:
    assert (place(schema, value) is not None) is lasts


def test_in_what_is_complete_all_faults_last_but_those_of_an_outer_condition() -> None:
    for schema in ({"minItems": 2}, {"not": {"maxItems": 3}}, {"unevaluatedItems": False}, {"contains": {"const": 2}}):
        assert place({"items": schema}, [[1], []]) == [0]
    assert place({"if": {"maxItems": 2}, "then": {"items": {"minItems": 2}}}, [[1], []]) is None
