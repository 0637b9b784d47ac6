"""JSON values, schemas that they satisfy, and ways to write them: for Hypothesis."""

import json
from typing import Any

from hypothesis import strategies as st

from gateway.schemas.validators import Validator

NAMES = st.text("abc", min_size=1, max_size=2)
SCALARS = st.none() | st.booleans() | st.integers(-300, 300) | st.floats(-9, 9) | st.text('ab/*,"{[\\é ', max_size=6)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
OTHERS: list[dict[str, Any]] = [{"type": "null"}, {"required": ["z"]}, {"minItems": 9}, {"const": "other"}, {"not": {}}]


@st.composite
def satisfied(draw: st.DrawFn, value: Any) -> dict[str, Any]:
    """A schema of this value: of its type, with bounds that it keeps, perhaps within alternatives or conditions."""
    schema: dict[str, Any] = draw(_plain(value))
    match draw(st.sampled_from(("plain", "plain", "anyOf", "allOf", "not", "if", "enum", "ref"))):
        case "anyOf":
            return {"anyOf": [draw(st.sampled_from(OTHERS)), schema]}
        case "allOf":
            return {"allOf": [schema, draw(_plain(value))]}
        case "not":
            return {**schema, "not": {"const": "another"}}
        case "if":
            condition = draw(st.sampled_from(OTHERS[:3]))
            return {"if": condition, "then": {}, "else": schema} if not _holds(condition, value) else schema
        case "enum":
            return {"enum": ["other", value]}
        case "ref":
            return {"$defs": {"it": {"type": "string"}}, **schema}
    return schema


@st.composite
def _plain(draw: st.DrawFn, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return draw(_object(value))
    if isinstance(value, list):
        most = len(value) + draw(st.integers(0, 1))
        schema: dict[str, Any] = {
            "type": "array",
            "minItems": len(value),
            "maxItems": most,
            "items": draw(st.booleans()),
        }
        return schema | ({"prefixItems": [draw(satisfied(item)) for item in value]} if value else {})
    return draw(
        st.sampled_from([{"const": value}, {"enum": [value, "more"]}, {"type": sorted({"null", _type(value)})}])
    )


@st.composite
def _object(draw: st.DrawFn, value: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "minProperties": len(value), "required": sorted(value)}
    known = {name: draw(satisfied(one)) for name, one in value.items()}
    closed = draw(st.sampled_from(("additionalProperties", "unevaluatedProperties")))
    return schema | {"properties": known, closed: False, "maxProperties": len(value)}


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {type(None): "null", int: "integer", float: "number", str: "string"}[type(value)]


def _holds(condition: dict[str, Any], value: Any) -> bool:
    return Validator(condition, json.dumps(condition).encode()).accepts(value)


@st.composite
def written(draw: st.DrawFn, value: Any, gaps: st.SearchStrategy[str], *, trailing: bool = False) -> str:
    """A value as JSON with something in every gap, and perhaps with trailing commas."""

    def gap() -> str:
        return draw(gaps)

    last = "," if trailing and value and draw(st.booleans()) else ""
    if isinstance(value, list):
        items = [gap() + draw(written(item, gaps, trailing=trailing)) + gap() for item in value]
        return "[" + ",".join(items) + last + gap() + "]"
    if isinstance(value, dict):
        members = [
            gap() + json.dumps(name) + gap() + ":" + gap() + draw(written(one, gaps, trailing=trailing)) + gap()
            for name, one in value.items()
        ]
        return "{" + ",".join(members) + last + gap() + "}"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


WHITE = st.sampled_from(("", "", " ", "\n  ", "\t"))
COMMENTED = st.sampled_from(("", "", " ", '// a [1, "comment" \n', "/* of {two: 2} \n lines, */", "/**/"))
