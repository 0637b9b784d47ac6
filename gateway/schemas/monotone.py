"""What of a schema the beginning of a value must already satisfy, because more of it cannot heal a fault there.

    kept      type, numbers' and strings' own keywords, maxItems, maxProperties, properties and items, allOf, anyOf
    loosened  oneOf (to anyOf: which one may still change), enum and const (of objects and arrays only the type counts)
    dropped   whatever more members can satisfy or undo: required, minItems, minProperties, contains, uniqueItems, not,
              if, dependent*, unevaluated*, and every keyword not known here

Holds where the value was cut after a whole member: an unfinished number or string is no part of it. A name that comes
twice in an object is not looked for: the first of them is judged as if it were the only one.
"""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

_AS_IT_IS = frozenset(
    {
        "$schema", "$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$ref", "$dynamicRef", "$recursiveRef",
        "type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "pattern", "maxItems", "maxProperties",
    }
)  # fmt: skip
_SCHEMA = frozenset({"additionalProperties", "additionalItems", "propertyNames", "items"})
_LIST = frozenset({"allOf", "anyOf", "prefixItems", "items"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions"})


def monotone(schema: Any) -> Any:
    """The schema that every beginning of a value satisfies, if the value satisfies this one. A reference to something
    that is dropped dangles then: the result may be no schema that can be used."""
    if not isinstance(schema, Mapping):
        return schema
    reduced: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _AS_IT_IS:
            reduced[keyword] = value
        elif keyword in _NAMED and isinstance(value, Mapping):
            reduced[keyword] = {name: monotone(one) for name, one in value.items()}
        elif keyword in _LIST and isinstance(value, list):
            reduced[keyword] = [monotone(one) for one in value]
        elif keyword in _SCHEMA:
            reduced[keyword] = monotone(value)
    more = [_one_of(values) for values in _values(schema)]
    more += [{"anyOf": [monotone(one) for one in schema["oneOf"]]}] if "oneOf" in schema else []
    return reduced | ({"allOf": [*reduced.get("allOf", ()), *more]} if more else {})


def _values(schema: Json) -> list[list[Any]]:
    return ([schema["enum"]] if "enum" in schema else []) + ([[schema["const"]]] if "const" in schema else [])


def _one_of(values: list[Any]) -> dict[str, Any]:
    plain = [value for value in values if not isinstance(value, (Mapping, list))]
    types = [name for name, kind in (("object", Mapping), ("array", list)) if any(isinstance(v, kind) for v in values)]
    return {"anyOf": [{"enum": plain}, {"type": types}] if types else [{"enum": plain}]}
