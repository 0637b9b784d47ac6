"""Whether no answer that the engine writes for one schema satisfies another: then `oneOf` holds without being enforced.

Says yes only where it is certain: by type, by a const or enum, by a property that both require and whose values differ,
or because each requires a property that the engine does not write for the other.
"""

import json
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from gateway.linting.places import Schema, followed, mapped, names

NUMBERS = frozenset(("integer", "number"))


def all_of(root: Schema, branches: list[Any]) -> bool:
    """Whether each two of these are apart."""
    resolved = [followed(root, branch) for branch in branches]
    if not all(isinstance(branch, Mapping) for branch in resolved):
        return False
    return all(_apart(root, one, other) for one, other in combinations(resolved, 2))


def _apart(root: Schema, one: Schema, other: Schema) -> bool:
    values = _values(one), _values(other)
    if values[0] is not None and values[1] is not None:
        return not values[0] & values[1]
    kinds = _kinds(one), _kinds(other)
    if kinds[0] and kinds[1] and not kinds[0] & kinds[1]:
        return True
    if kinds[0] != frozenset(("object",)) or kinds[1] != frozenset(("object",)) or _alternatives(one, other):
        return False
    return _told_apart(root, one, other) or (_lacks(one, other) and _lacks(other, one))


def _alternatives(*schemas: Schema) -> bool:
    return any(schema.keys() & {"anyOf", "oneOf", "allOf", "$ref"} for schema in schemas)


def _kinds(schema: Schema) -> frozenset[str]:
    values = _values(schema)
    if values is not None:
        return frozenset(_kind(json.loads(value)) for value in values)
    given = schema.get("type")
    names = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    return frozenset("number" if name in NUMBERS else name for name in names if isinstance(name, str))


def _kind(value: Any) -> str:
    named = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null", list: "array"}
    return named.get(type(value), "object")


def _values(schema: Schema) -> frozenset[str] | None:
    """The values of a const or an enum, as JSON; None where any may be."""
    if "const" in schema:
        return frozenset((_written(schema["const"]),))
    listed = schema.get("enum")
    return frozenset(map(_written, listed)) if isinstance(listed, list) else None


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _told_apart(root: Schema, one: Schema, other: Schema) -> bool:
    """By a property that both require."""
    both = set(names(one)) & set(names(other))
    pairs = [tuple(followed(root, mapped(schema, "properties").get(name)) for schema in (one, other)) for name in both]
    return any(isinstance(a, Mapping) and isinstance(b, Mapping) and _simply_apart(a, b) for a, b in pairs)


def _simply_apart(one: Schema, other: Schema) -> bool:
    values = _values(one), _values(other)
    if values[0] is not None and values[1] is not None:
        return not values[0] & values[1]
    kinds = _kinds(one), _kinds(other)
    return bool(kinds[0] and kinds[1] and not kinds[0] & kinds[1])


def _lacks(one: Schema, other: Schema) -> bool:
    """Whether the engine writes for the one no property of some name that the other requires."""
    closed = not any(one.get(word, False) is not False for word in ("additionalProperties", "unevaluatedProperties"))
    closed = closed and not one.keys() & {"patternProperties", "propertyNames"} and "properties" in one
    return closed and any(name not in mapped(one, "properties") for name in names(other))
