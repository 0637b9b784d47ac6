"""Relaxed schemas: each accepts what its original accepts, and the engine takes it."""

import json
from itertools import count
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.linting import breaking, lint, relaxed
from tests.gateway.linting.facts import FACTS, Fact
from tests.gateway.schemas.made import VALUES, satisfied
from tests.harness.real_schemas import corpus

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
INT, STR = {"type": "integer"}, {"type": "string"}
A_B = {"type": "object", "properties": {"a": INT, "b": INT}}


def accepts(schema: Any, value: Any) -> bool:
    return jsonschema_rs.validator_for(schema, offline=True, validate_formats=False).is_valid(value)


def errors(schema: Any) -> list[str]:
    return [note.message for note in lint(schema) if note.severity == "error"]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: json.dumps(fact.schema)[:60])
def test_each_keyword_stays_valid_and_becomes_one_that_the_engine_takes(fact: Fact) -> None:
    sent = relaxed(fact.schema)
    assert not errors(sent.schema)
    try:
        valid = [value for value in fact.valid if accepts(fact.schema, value)]
    except ValueError:
        return  # refused before it is relaxed
    assert all(accepts(sent.schema, value) for value in valid)
    assert sent.dropped or sent.schema == fact.schema or fact.fate != "enforced"


@pytest.mark.parametrize(
    ("schema", "sent", "dropped"),
    [
        (INT, INT, ()),
        ({"type": "array", "items": INT, "uniqueItems": True}, {"type": "array", "items": INT}, ("uniqueItems",)),
        ({"type": "array", "items": INT, "uniqueItems": False}, {"type": "array", "items": INT}, ()),
        (INT | {"multipleOf": 5, "minimum": 0.5}, INT | {"minimum": 1}, ("multipleOf",)),
        (STR | {"format": "color"}, STR, ("format",)),
        (STR | {"pattern": "^[a-z]+$", "maxLength": 9}, STR | {"pattern": "^[a-z]{1,9}$"}, ()),
        (STR | {"pattern": "^[a-z]{2,}$", "minLength": 3}, STR | {"pattern": "^[a-z]{3,}$"}, ()),
        (STR | {"pattern": "^a+b$", "maxLength": 9}, STR | {"pattern": "^a+b$"}, ("maxLength",)),
        (STR | {"pattern": "\\bword\\b", "maxLength": 9}, STR | {"maxLength": 9}, ("pattern",)),
        (STR | {"pattern": "^.{1,4000}$", "maxLength": 4000}, STR | {"maxLength": 4000}, ("pattern",)),
        (STR | {"pattern": "^[0-9-]+$", "format": "date"}, STR | {"pattern": "^[0-9-]+$"}, ("format",)),
        ({"allOf": [STR, {"minLength": 2}, {"maxLength": 5}]}, STR | {"minLength": 2, "maxLength": 5}, ()),
        ({"allOf": [{"type": "number"}, INT]}, INT, ()),
        (
            {"allOf": [INT | {"minimum": 1, "maximum": 9}, {"minimum": 3, "maximum": 20}]},
            INT | {"minimum": 3, "maximum": 9},
            (),
        ),
        ({"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]}, {"const": "b"}, ()),
        (
            {"allOf": [A_B | {"required": ["a"]}, {"properties": {"c": STR}, "required": ["c"]}]},
            A_B | {"properties": {"a": INT, "b": INT, "c": STR}, "required": ["a", "c"]},
            (),
        ),
        (
            A_B | {"patternProperties": {"^x": INT}, "additionalProperties": False},
            A_B,
            ("patternProperties",),
        ),
        (
            A_B | {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"anyOf": [A_B | {"required": ["a"]}, A_B | {"required": ["b"]}]},
            (),
        ),
        (
            {"$ref": "#/$defs/a~1b", "$defs": {"a/b": INT | {"multipleOf": 2}, "unused": {"not": {}}}},
            {"$ref": "#/$defs/a_1b", "$defs": {"a_1b": INT}},
            ("multipleOf",),
        ),
        (
            {"$schema": DRAFT_7, "type": "array", "items": [INT, STR], "additionalItems": False},
            {"type": "array", "prefixItems": [INT, STR], "items": False},
            (),
        ),
        ({"$ref": "#here", "$defs": {"x": INT | {"$anchor": "here"}}}, {"$ref": "#/$defs/x", "$defs": {"x": INT}}, ()),
        ({"oneOf": [{"minimum": 3, **INT}, INT | {"maximum": 9}]}, None, ("oneOf",)),
        ({"type": "string", "not": {"const": "a"}, "if": {}, "then": {}}, STR, ("if", "not")),
    ],
)  # fmt: skip
def test_what_the_engine_gets(schema: dict[str, Any], sent: dict[str, Any] | None, dropped: tuple[str, ...]) -> None:
    found = relaxed(schema)
    assert sent is None or dict(found.schema) == sent
    assert found.keywords == dropped
    assert not errors(found.schema)


def test_the_order_of_properties_is_the_authors() -> None:
    properties = dict.fromkeys("zebra", INT)
    schema = {"type": "object", "properties": properties, "uniqueItems": True, "not": {"required": ["q"]}}
    assert list(relaxed(schema).schema["properties"]) == list(properties)


def test_what_stands_beside_a_reference_counts_for_nothing_in_draft_7() -> None:
    schema = {
        "$schema": DRAFT_7,
        "$ref": "#/definitions/x",
        "minimum": 5,
        "definitions": {"x": INT | {"multipleOf": 2}},
    }
    assert accepts(schema, 2)
    assert accepts(relaxed(schema).schema, 2)


def test_a_schema_of_itself_is_one_still() -> None:
    tree = {"type": "object", "properties": {"v": INT | {"multipleOf": 2}, "next": {"$ref": "#"}}, "required": ["v"]}
    sent = relaxed(tree).schema
    assert not errors(sent)
    assert accepts(sent, {"v": 1, "next": {"v": 2}})
    assert not accepts(sent, {"v": 1, "next": {"v": "a"}})


@st.composite
def twisted(draw: st.DrawFn) -> tuple[dict[str, Any], Any]:
    """A value and a schema that it satisfies, in ways that the engine refuses or reads past."""
    value = draw(VALUES)
    defs: dict[str, Any] = {}
    number = count()

    def one(levels: int) -> dict[str, Any]:
        if levels == 0:
            return dict(draw(satisfied(value)))
        match draw(st.sampled_from(("plain", "allOf", "ref", "beside", "anyOf", "deep", "loose"))):
            case "allOf":
                return {"allOf": [one(levels - 1) for _ in range(draw(st.integers(2, 3)))]}
            case "ref":
                name = f"{next(number)}/ x"
                defs[name] = one(levels - 1)
                return {"$ref": f"#/$defs/{name.replace('/', '~1').replace(' ', '%20')}"}
            case "beside":
                return {**one(levels - 1), "allOf": [one(levels - 1), {}]}
            case "anyOf":
                beside = draw(satisfied(value))
                return {**beside, "anyOf": [{"type": "null", "enum": [7]}, one(levels - 1), {"const": "no"}]}
            case "deep" if isinstance(value, dict) and value:
                return {"propertyNames": {"maxLength": 9}, "patternProperties": {"^[a-z]": {}, ".*": True}, **one(0)}
            case "loose":
                known = {
                    "pattern": "^[^\\p{Cc}]*$",
                    "maxLength": 99,
                    "minimum": -1e9,
                    "contains": True,
                    "minContains": 0,
                }
                return {**known, "oneOf": [one(levels - 1), {"not": {}}], "minProperties": 0}
        return one(0)

    return {**one(2), "$defs": defs}, value


@settings(max_examples=60)
@given(twisted())
def test_whatever_satisfies_a_schema_satisfies_the_relaxed_one(made: tuple[dict[str, Any], Any]) -> None:
    schema, value = made
    sent = relaxed(schema).schema
    assert not errors(sent)
    assert not accepts(schema, value) or accepts(sent, value)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["object", "#", "#/a", "^(", "integer"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "$ref", "allOf", "anyOf", "properties", "items", "prefixItems", "required", "enum", "const", "a",
             "maxItems", "minimum", "minLength", "pattern", "patternProperties", "additionalProperties", "$id", "$defs",
             "$anchor", "propertyNames", "not", "if", "minProperties", "maxProperties", "$schema"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["type", "allOf", "properties", "$ref", "items", "anyOf"]), JUNK))
def test_what_is_no_schema_is_no_exception(schema: dict[str, Any]) -> None:
    assert not errors(relaxed(schema).schema)


def doubled(links: int) -> dict[str, Any]:
    """References that allOf would multiply without end."""
    defs: dict[str, Any] = {f"n{links}": {"type": "object", "properties": {"end": INT}}}
    for link in range(links):
        following = {"$ref": f"#/$defs/n{link + 1}"}
        more = {"type": "object", "properties": {side: {"allOf": [following, A_B]} for side in "lr"}}
        defs[f"n{link}"] = {"allOf": [following, more]}
    return {"$ref": "#/$defs/n0", "$defs": defs}


CIRCLE = {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {
    "a": {"type": "object", "properties": {"next": {"$ref": "#/$defs/a"}, "x": INT}},
    "b": {"type": "object", "properties": {"next": {"$ref": "#/$defs/b"}, "y": INT}},
}}  # fmt: skip


@pytest.mark.parametrize(
    "schema",
    [doubled(12), CIRCLE, {"$ref": "#"}, {"$ref": "#/$defs/a", "not": {}, "$defs": {"a": {"$ref": "#/$defs/a"}}}],
)
def test_what_multiplies_without_end_ends(schema: dict[str, Any]) -> None:
    sent = relaxed(schema).schema
    assert not errors(sent)
    assert breaking(sent) is None
    assert len(json.dumps(sent)) <= 64 * 1024


def test_real_world_schemas_become_ones_that_the_engine_takes() -> None:
    """All of them, and by the engine itself: tests/proofs/test_schemas_on_engine."""
    for case in corpus()[::40]:
        sent = relaxed(case.schema)
        assert not errors(sent.schema), case.name
        assert len(sent.schema) > 0, case.name
