"""What the engine makes of each keyword: a schema, answers that are valid and that are not, and what becomes of them.

    enforced  all valid answers can be written and no other
    narrowed  no other, but not all that are valid
    ignored   answers that are not valid can be written
    refused   the engine takes no such schema

`test_lint` holds the lint to it, `tests/proofs/test_schemas_on_engine` the engine.
"""

from typing import Any, Literal

from serving.frozen import dataclass

Fate = Literal["enforced", "narrowed", "ignored", "refused"]
INT: dict[str, Any] = {"type": "integer"}
NUM: dict[str, Any] = {"type": "number"}
STR: dict[str, Any] = {"type": "string"}
LIST: dict[str, Any] = {"type": "array", "items": INT}


def obj(*names: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": dict.fromkeys(names, INT), "additionalProperties": False, **more}


def text(pattern: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern, **more}


@dataclass(frozen=True, slots=True)
class Fact:
    fate: Fate
    schema: dict[str, Any]
    valid: list[Any]
    invalid: list[Any]


A, AB = {"a": 1}, {"a": 1, "b": 1}
UNTYPED = {"properties": {"a": INT}, "additionalProperties": False}
DEFS = {"$defs": {"x": INT, "a/b": INT}}

FACTS = (
    Fact("enforced", {}, [1, "a", None, True, {"a": "b"}, [1]], []),
    Fact("enforced", INT, [1, -3, 0], [1.5, "a", True]),
    Fact("enforced", NUM, [1, 1.5, -2e10], ["1"]),
    Fact("enforced", {"type": ["string", "null"]}, ["a", None], [1]),
    Fact("enforced", {"enum": ["a", 1, None, {"x": 1}]}, ["a", 1, None, {"x": 1}], ["b", 2]),
    Fact("enforced", {"type": "string", "enum": ["a"]}, ["a"], ["b"]),
    Fact("ignored", {"type": "string", "enum": ["a", 1]}, ["a"], [1]),
    Fact("ignored", {"enum": ["a", "bb"], "type": "string", "minLength": 2}, ["bb"], ["a"]),
    Fact("enforced", {"const": {"b": 1, "a": [1]}}, [{"b": 1, "a": [1]}], ["y"]),
    Fact("refused", {"enum": []}, [], []),
    Fact("refused", {"type": "file"}, [], []),
    # Numbers.
    Fact("enforced", INT | {"minimum": 3, "maximum": 30}, [3, 4, 30], [2, 31]),
    Fact("enforced", INT | {"exclusiveMinimum": 3}, [4], [3]),
    Fact("enforced", NUM | {"minimum": 0, "maximum": 1}, [0, 1, 0.25], [1.5, -1]),
    Fact("enforced", NUM | {"exclusiveMaximum": 1}, [0.5, 0], [1, 1.0]),
    Fact("refused", INT | {"minimum": 0.5}, [1], [0]),
    Fact("refused", INT | {"maximum": 2**64}, [1], []),
    Fact("refused", INT | {"minimum": 3, "maximum": 1}, [], []),
    Fact("refused", INT | {"multipleOf": 5}, [5], [3]),
    Fact("ignored", {"multipleOf": 5}, [5], [3]),
    Fact("ignored", {"minimum": 5}, [5, "a"], [3]),
    # Strings.
    Fact("enforced", STR | {"minLength": 2, "maxLength": 3}, ["aa", "é日"], ["a", "aaaa"]),
    Fact("refused", STR | {"minLength": 5, "maxLength": 2}, [], []),
    Fact("ignored", {"minLength": 2}, ["aa", 1], ["a"]),
    Fact("enforced", text("^[a-z]{2,3}$"), ["ab", "abc"], ["a", "abcd", "A1"]),
    Fact("enforced", text("^(?:a|b)+\\d$"), ["ab1"], ["1"]),
    Fact("narrowed", text("[0-9]"), ["a1b", "1"], ["a"]),
    Fact("narrowed", text("^a"), ["abc", "a"], ["b"]),
    Fact("ignored", text("^(?!a)[a-z]+$"), ["b"], ["ab"]),
    Fact("ignored", text("a$b"), [], ["ab"]),
    Fact("ignored", text("^[\\p{L}]+$"), ["ab"], ["{"]),
    Fact("refused", text("^\\p{L}+$"), ["ab"], ["1"]),
    Fact("refused", text("^(a|b)\\1$"), ["aa"], ["ab"]),
    Fact("refused", text("^\\bfoo$"), ["foo"], ["a"]),
    Fact("refused", text("^(?<!b)a$"), ["a"], ["b"]),
    Fact("refused", text("^(?i)a$"), ["A"], ["c"]),
    Fact("enforced", text("^[a-z]{1,128}$"), ["a"], ["A"]),
    Fact("refused", text("^[a-z]{1,129}$"), ["a"], ["A"]),
    Fact("refused", text("^a+$", maxLength=2), ["a"], ["aaa"]),
    Fact("ignored", text("^a", format="date"), [], ["2020-01-01"]),
    Fact("ignored", {"pattern": "^a+$"}, ["aa", 1], ["b"]),
    Fact("enforced", STR | {"format": "email"}, ["a@b.co"], []),
    Fact("enforced", STR | {"format": "uuid"}, ["123e4567-e89b-12d3-a456-426614174000"], []),
    Fact("refused", STR | {"format": "int64"}, ["1"], []),
    # Arrays.
    Fact("enforced", {"type": "array"}, [[], [1, "a"]], [{}]),
    Fact("enforced", LIST | {"minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
    Fact("refused", {"type": "array", "minItems": 1}, [[1]], [[]]),
    Fact("refused", LIST | {"minItems": 5, "maxItems": 2}, [], []),
    Fact("enforced", {"type": "array", "prefixItems": [INT, STR], "items": False},
         [[1, "a"], [1]], [["a"], [1, "a", 2]]),
    Fact("refused", {"type": "array", "items": [INT, STR]}, [[1, "a"]], [["a", 1]]),
    Fact("refused", LIST | {"uniqueItems": False}, [[1, 1]], []),
    Fact("ignored", {"items": INT, "uniqueItems": True}, [[1, 2]], [[1, 1]]),
    Fact("ignored", {"uniqueItems": True}, [[1, 2]], [[1, 1]]),
    Fact("refused", {"type": "array", "contains": INT}, [[1, "a"]], [["a"]]),
    Fact("ignored", {"contains": INT}, [[1, "a"]], [["a"]]),
    # Objects.
    Fact("enforced", obj("a", "b"), [{}, A, AB], [{"a": "x"}, {"z": 1}]),
    Fact("narrowed", obj("a", "b"), [{"b": 1, "a": 1}], [{"a": "x"}]),
    Fact("narrowed", {"type": "object", "properties": {"a": INT}}, [{"a": 1, "z": 2}], [{"a": "x"}]),
    Fact("enforced", obj("a", additionalProperties=True), [{"a": 1, "z": 2}, {"z": 1}], [{"a": "x"}]),
    Fact("enforced", obj("a", additionalProperties=STR), [{"a": 1, "z": "2"}], [{"z": 2}]),
    Fact("enforced", obj("a", "b", required=["b"]), [{"b": 1}, AB], [{}, A]),
    Fact("ignored", obj("a", required=["z"]), [], [{}, A]),
    Fact("ignored", {"type": "object", "additionalProperties": INT, "required": ["z"]}, [{"z": 1}], [{}]),
    Fact("enforced", obj("a", "b", minProperties=1, maxProperties=1), [A], [{}, AB]),
    Fact("refused", {"type": "object", "minProperties": 1}, [A], [{}]),
    Fact("ignored", {"required": ["a"]}, [A, 1], [{}]),
    Fact("narrowed", UNTYPED, [A, 1], [{"a": "x"}]),
    Fact("enforced", {"type": "object", "patternProperties": {"^x$": INT}, "additionalProperties": False},
         [{"x": 1}, {}], [{"y": 1}, {"x": "a"}]),
    Fact("narrowed", {"type": "object", "patternProperties": {"^x$": INT}}, [{"y": "a"}], [{"x": "a"}]),
    Fact("refused", obj("a", patternProperties={"^x": INT}), [{"a": 1, "x": 1}], [{"x": "a"}]),
    Fact("ignored", {"patternProperties": {"^x$": INT}}, [{"x": 1}], [{"x": "a"}]),
    Fact("enforced", {"type": "object", "propertyNames": {"pattern": "^x$"}}, [{"x": 1}, {}], [{"y": 1}]),
    Fact("refused", obj("a", propertyNames={"maxLength": 3}), [A], []),
    Fact("enforced", obj("a", unevaluatedProperties=False), [A], [{"z": 1}]),
    Fact("ignored", obj("a", "b", dependentRequired={"a": ["b"]}), [AB, {}], [A]),
    Fact("ignored", obj("a", "b", dependencies={"a": ["b"]}), [AB, {}], [A]),
    Fact("ignored", obj("a", "b", dependentSchemas={"a": {"required": ["b"]}}), [AB, {}], [A]),
    Fact("refused", {"type": "object", "properties": {"a": False}}, [{}], [A]),
    # Alternatives.
    Fact("enforced", {"anyOf": [INT, STR]}, [1, "a"], [None]),
    Fact("ignored", obj("a", "b", anyOf=[{"required": ["a"]}, {"required": ["b"]}]), [A], [{}]),
    Fact("ignored", {"type": "string", "anyOf": [STR | {"minLength": 3}, STR], "maxLength": 4}, ["a"], ["aaaaa"]),
    Fact("enforced", {"type": "string", "anyOf": [STR | {"minLength": 3}, STR | {"maxLength": 1}]},
         ["aaa", "a"], ["aa"]),
    Fact("enforced", {"oneOf": [INT, STR]}, [1, "a"], [None]),
    Fact("ignored", {"oneOf": [INT, NUM]}, [1.5], [1]),
    Fact("enforced", {"oneOf": [obj("a", required=["a"]), obj("b", required=["b"])]}, [A, {"b": 1}], [{}, AB]),
    Fact("ignored", {"oneOf": [obj("a"), obj("b")]}, [A, {"b": 1}], [{}]),
    Fact("enforced", {"allOf": [INT]}, [1], ["a"]),
    Fact("refused", {"allOf": [STR, {"enum": ["y"]}]}, ["y"], ["z"]),
    Fact("ignored", obj("a", "b", allOf=[{"required": ["b"]}]), [AB], [A]),
    Fact("ignored", {"not": INT}, ["a"], [1]),
    Fact("ignored", obj("a", "b", **{"if": {"required": ["a"]}, "then": {"required": ["b"]}}), [AB, {}], [A]),
    # References.
    Fact("enforced", {"$ref": "#/$defs/x"} | DEFS, [1], ["a"]),
    Fact("enforced", {"$ref": "#/definitions/x", "definitions": {"x": INT}}, [1], ["a"]),
    Fact("ignored", {"$ref": "#/$defs/x", "minimum": 3} | DEFS, [4], [1]),
    Fact("ignored", {"$ref": "#foo", "$defs": {"x": INT | {"$anchor": "foo"}}}, [1], ["a"]),
    Fact("ignored", {"$dynamicRef": "#x", "$defs": {"x": INT | {"$dynamicAnchor": "x"}}}, [1], ["a"]),
    Fact("refused", {"$ref": "#/$defs/a~1b"} | DEFS, [1], ["a"]),
    Fact("refused", {"$ref": "#/anyOf/0", "anyOf": [INT]}, [1], ["a"]),
)  # fmt: skip
