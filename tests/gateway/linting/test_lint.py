"""The lint says of each keyword what the engine makes of it (`facts`), once, and never fails on what is no schema."""

import json

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange.wanted import Format
from gateway.linting import least_tokens, lint, notes_of
from tests.gateway.linting.facts import FACTS, Fact

WORDS = ("type", "properties", "items", "required", "enum", "const", "anyOf", "oneOf", "allOf", "not", "$ref", "$defs",
         "pattern", "patternProperties", "minimum", "maximum", "minItems", "maxItems", "minProperties", "maxProperties",
         "prefixItems", "propertyNames", "additionalProperties", "format", "minLength", "uniqueItems", "if", "then",
         "exclusiveMinimum", "unevaluatedProperties")  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3),
    st.sampled_from(("object", "array", "string", "integer", "#", "#/$defs/a", "#/anyOf/0", "(a", "[", "{2,", "\\")),
)  # fmt: skip
JUNK = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
)


def _named(fact: Fact) -> str:
    return json.dumps(fact.schema)


@pytest.mark.parametrize("fact", FACTS, ids=_named)
def test_a_keyword_gets_the_severity_of_what_the_engine_makes_of_it(fact: Fact) -> None:
    said = {note.severity for note in lint(fact.schema)}
    if fact.fate == "ignored":
        assert "warning" in said
        assert "error" not in said
    elif fact.fate == "refused":
        assert "error" in said
    else:
        assert said <= {"advice"}


@pytest.mark.parametrize("fact", FACTS, ids=_named)
def test_the_facts_are_true_of_json_schema(fact: Fact) -> None:
    try:
        validator = jsonschema_rs.validator_for(fact.schema)
    except ValueError:
        assert fact.fate == "refused"
        return
    assert all(map(validator.is_valid, fact.valid))
    assert not any(map(validator.is_valid, fact.invalid))


def test_a_note_points_at_the_place_and_says_what_to_change() -> None:
    tags = {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 3, "uniqueItems": True}
    schema = {"type": "object", "properties": {"a/b": tags}, "additionalProperties": False}
    (note,) = lint(schema)
    assert (note.severity, note.pointer, note.keyword) == ("error", "/properties/a~1b", "uniqueItems")
    assert "leave it out" in note.message


def test_what_nothing_refers_to_is_not_told_of() -> None:
    assert lint({"type": "integer", "$defs": {"unused": {"not": {}}}}) == []


def test_errors_come_before_warnings_before_advice() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"enum": []}}, "not": {}}
    assert [note.severity for note in lint(schema)][:3] == ["error", "warning", "advice"]


@pytest.mark.parametrize(
    ("names", "warned"), [(("reasoning", "verdict"), False), (("verdict", "reasoning"), True), (("ok", "why"), False)]
)
def test_a_verdict_before_its_reason_is_told_of(names: tuple[str, str], warned: bool) -> None:
    properties = {name: {"type": "string", "maxLength": 9} for name in names}
    notes = lint({"type": "object", "properties": properties, "additionalProperties": False})
    assert any("put the reason first" in note.message for note in notes) is warned


def test_advice_that_holds_often_is_told_once_with_the_number() -> None:
    many = {str(index): {"type": "string"} for index in range(5)}
    (note,) = [n for n in lint({"type": "object", "properties": many}) if n.keyword == "maxLength"]
    assert note.pointer == "/properties/0"
    assert note.message.endswith("(and at 4 more places)")


def test_a_schema_within_itself_is_told_of_and_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False}
    assert [(note.pointer, note.keyword) for note in lint(node)] == [("/properties/next", "$ref")]


def test_notes_are_kept_apart_by_the_order_of_properties() -> None:
    one = {"type": "object", "properties": {"reason": {"type": "null"}, "verdict": {"type": "null"}}}
    other = {"type": "object", "properties": {"verdict": {"type": "null"}, "reason": {"type": "null"}}}
    assert notes_of(one) is notes_of(dict(one))
    assert notes_of(one) != notes_of(other)


@given(st.dictionaries(st.sampled_from(WORDS), JUNK, max_size=6))
def test_what_is_no_schema_is_no_exception(junk: dict[str, object]) -> None:
    lint(junk)
    assert least_tokens(Format("json", junk)) >= 1
