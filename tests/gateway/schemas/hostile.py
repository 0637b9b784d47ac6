"""Schemas that are meant to stall whoever compiles or applies them, each with a text to check."""

import json
from typing import Any

Json = dict[str, Any]


def nested(levels: int) -> Json:
    """Three alternatives in each of three alternatives, and so on: 3 to the power of levels."""
    schema: Json = {"type": "object", "properties": {"a": {"type": "string"}}}
    for _ in range(levels):
        schema = {"anyOf": [schema, schema, schema]}
    return schema


def chained(levels: int, keyword: str = "anyOf") -> Json:
    """The same in a few lines, by references."""
    steps = {f"a{n}": {keyword: [{"$ref": f"#/$defs/a{n + 1}"}] * 3} for n in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": {**steps, f"a{levels}": {"type": "integer"}}}


def branching() -> Json:
    """Three alternatives, each of which leads back to all three for the same member."""
    ways = [{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": [key]} for key in "xyz"]
    return {"oneOf": [*ways, {"type": "null"}]}


def deep(levels: int) -> Any:
    """What all alternatives of `branching` go down into."""
    value: Any = None
    for _ in range(levels):
        value = {"x": 1, "y": 1, "z": 1, "a": value}
    return value


def negated(levels: int) -> Json:
    schema: Json = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


_SLOW: Json = {f"p{n}": {"pattern": "^(\\p{L}{1,20}){1,2}" + str(n)} for n in range(300)}
SLOW_PATTERNS: Json = {"properties": _SLOW}

CHECKED: dict[str, tuple[Json, Any]] = {
    "nested alternatives": (nested(6), {"a": 1}),
    "branching recursion": (branching(), deep(40)),
    "catastrophic pattern": ({"pattern": "^(a+)+$"}, "a" * 20_000 + "!"),
    "counted pattern": ({"pattern": "^(a{1,100}){1,100}$"}, "a" * 20_000 + "!"),
    "large enum": ({"enum": [f"value {n}" for n in range(4_000)]}, "other"),
    "slow patterns that nothing refers to": ({"$defs": _SLOW}, 1),
    "loop": ({"$ref": "#"}, 1),
    "loop in two ways": ({"anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}]}, 1),
    "unlike items": ({"uniqueItems": True}, [[n, {"a": n}] for n in range(3_000)]),
    "many bounds": ({"items": {"allOf": [{"minimum": n} for n in range(190)]}}, [500] * 5_000),
    "many faults": ({"items": {"type": "integer"}}, ["x"] * 20_000),
    "pattern in the answer": ({"format": "regex"}, "(\\p{L}{100}){100}"),
}
REFUSED: dict[str, tuple[Json, str]] = {
    "nested alternatives by reference": (chained(9), "59,048 alternatives, and 20,000"),
    "out of all bounds": (chained(40), "36,472,996,377,170,786,402 alternatives"),
    "conjunctions by reference": (chained(9, "allOf"), "59,048 alternatives"),
    "slow patterns": (SLOW_PATTERNS, "took more than 0.3 s to compile"),
    "huge pattern": ({"pattern": "(a{1000}){1000}"}, "more than 10 MiB"),
    "huge enum": ({"enum": list(range(5_001))}, "5,001 values in its enums, and may have 5,000"),
    "deep": (negated(200), "33 levels deep, and may have 32"),
    "large": ({"description": "x" * 70_000}, "70,018 bytes, and may have 65,536"),
    "long pattern": ({"pattern": "a" * 5_000}, "5,000 characters, and may have 4,096"),
}


def text(value: Any) -> str:
    return json.dumps(value)
