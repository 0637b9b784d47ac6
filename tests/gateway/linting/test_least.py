"""The fewest tokens of an answer: never more than any valid answer has, and not so few that nothing is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange.wanted import Format, Tool
from gateway.linting import Cuts, least_tokens
from serving.vocabulary import entries, load
from tests.conftest import TINY_MODEL

ENTRIES = entries(TINY_MODEL)
assert ENTRIES
CUTS, WORDS = Cuts(ENTRIES), load(TINY_MODEL)
NAMES = st.text(st.sampled_from('abcdeé"\\_ 日'), max_size=12)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=8), st.sampled_from(("high", "low", "severity"))
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4))


def schema_of(value: Any, dice: st.DataObject) -> dict[str, Any]:
    """Some schema that this value satisfies, as narrow as it may be."""
    match dice.draw(st.sampled_from(("typed", "typed", "const", "enum", "any of", "reference"))):
        case "const":
            return {"const": value}
        case "enum":
            return {"enum": [value, "x" * 40]}
        case "any of":
            return {"anyOf": [{"type": "string", "minLength": 90}, _typed(value, dice)]}
        case "reference":
            return {"allOf": [_typed(value, dice), {}]}
    return _typed(value, dice)


def _typed(value: Any, dice: st.DataObject) -> dict[str, Any]:
    match value:
        case str():
            return {"type": "string", "minLength": len(value)}
        case dict():
            properties = {name: schema_of(inner, dice) for name, inner in value.items()}
            return {"type": "object", "properties": properties, "required": [*value], "minProperties": len(value)}
        case list():
            items = [schema_of(inner, dice) for inner in value]
            return {"type": "array", "prefixItems": items, "minItems": len(value)}
        case bool():
            return {"type": ["boolean", "null"]}
        case None:
            return {"type": "null"}
    return {"type": "number"}


@given(VALUES, st.data(), st.sampled_from(((",", ":"), (", ", ": "))))
def test_no_valid_answer_has_fewer(value: Any, dice: st.DataObject, separators: tuple[str, str]) -> None:
    format = Format("json", schema_of(value, dice))
    text = json.dumps(value, ensure_ascii=False, separators=separators)
    assert least_tokens(format, CUTS, CUTS.longest) <= WORDS.count(text)
    assert least_tokens(format) <= WORDS.count(text)


def test_names_that_no_token_has_are_counted() -> None:
    names = ["category", "severity", "summary", "confidence"]
    form = Format("json", {"type": "object", "properties": {}, "required": names})
    answer = json.dumps(dict.fromkeys(names, 0), separators=(",", ":"))
    assert WORDS.count(answer) / 2 < least_tokens(form, CUTS, CUTS.longest) <= WORDS.count(answer)


@pytest.mark.parametrize(
    ("schema", "chars"),
    [
        ({"type": "string", "minLength": 1000}, 1002),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 100}, 100 * 4 + 99 + 2),
        ({"type": "object", "minProperties": 100}, 100 * 4 + 99 + 2),
        ({"type": "string", "pattern": "^(ab|c){500}$"}, 502),
        ({"enum": ["x" * 300, "y" * 200]}, 202),
        ({"oneOf": [{"const": "x" * 300}, {"const": "y" * 200}]}, 202),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"const": "y" * 200}}}, 202),
    ],
)
def test_of_characters(schema: dict[str, Any], chars: int) -> None:
    assert least_tokens(Format("json", schema), longest=1) == chars


def test_of_other_formats() -> None:
    assert least_tokens(Format("choice", choices=("a" * 300, "b" * 200)), longest=10) == 20
    assert least_tokens(Format("regex", regex="[a-z]{100}-\\d+"), longest=10) == 11
    assert least_tokens(Format("grammar")) == 1
    assert least_tokens(Format()) == 1


def test_an_answer_that_may_be_a_call_is_not_bound() -> None:
    wide = {"type": "string", "minLength": 10_000}
    assert least_tokens(Format("json", wide, tools=(Tool("f", None, False),))) == 1


def test_a_schema_within_itself_ends() -> None:
    node = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}}
    assert least_tokens(Format("json", node), longest=1) >= len('{"next":0}')


def test_references_that_double_each_time_are_quick_and_bounded() -> None:
    defs: dict[str, Any] = {"n0": {"type": "null"}}
    for link in range(60):
        defs[f"n{link + 1}"] = {"type": "array", "prefixItems": [{"$ref": f"#/$defs/n{link}"}] * 2, "minItems": 2}
    assert least_tokens(Format("json", {"$ref": "#/$defs/n60", "$defs": defs})) > 4096
