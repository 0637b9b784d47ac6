"""Advice: answers that would be valid and that the engine never writes, and what makes answers long or thoughtless."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.linting.note import Note
from gateway.linting.places import Place, Schema, governing, mapped, named, reached
from gateway.linting.refused import types

# What a model says to think, and what it then decides: it decides better after it has thought.
REASONS = frozenset(
    ("analysis", "chain_of_thought", "explanation", "justification", "rationale", "reason", "reasoning", "thinking",
     "thought", "thoughts")
)  # fmt: skip
VERDICTS = frozenset(
    ("answer", "category", "class", "classification", "decision", "label", "result", "score", "severity", "verdict")
)
BOUNDED = ("maxLength", "pattern", "format", "contentEncoding")


def advice(root: Schema) -> Iterator[Note]:
    """Each kind of advice once, at the first place that it holds for, with the number of the others."""
    found = dict[tuple[str, str], list[str]]()
    for place in reached(root):
        if isinstance(place.schema, Mapping) and governing(place.schema) is None:
            for said in _shape(place.schema):
                found.setdefault(said, []).append(place.pointer)
        if isinstance(place.schema, Mapping) and _inside_itself(root, place):
            text = "it may be nested without end, which only the ceiling stops: bound it by levels of its own"
            found.setdefault(("$ref", text), []).append(place.pointer)
    for (word, text), where in found.items():
        more = f" (and at {len(where) - 1} more places)" if len(where) > 1 else ""
        yield Note("advice", where[0], word, text + more)


def _shape(schema: Schema) -> Iterator[tuple[str, str]]:
    if mapped(schema, "properties"):
        yield from _object(schema, mapped(schema, "properties"))
    if "string" in types(schema) and not any(word in schema for word in BOUNDED):
        yield "maxLength", "a string without an end may be cut by the ceiling: set maxLength"
    if "array" in types(schema) and "maxItems" not in schema and schema.get("items") is not False:
        yield "maxItems", "an array without an end may be cut by the ceiling: set maxItems"


def _object(schema: Schema, properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if len(properties) > 1:
        yield "properties", "the engine writes properties in this order only, and so the model thinks in it"
    if not schema.keys() & {"additionalProperties", "unevaluatedProperties", "patternProperties"}:
        text = "the engine writes no further properties; say additionalProperties false, or true if it shall"
        yield "additionalProperties", text
    if mapped(schema, "patternProperties") and schema.get("additionalProperties", True) is not False:
        yield "patternProperties", "the engine writes only names that a pattern matches as a whole"
    names = list(properties)
    reasons = [index for index, name in enumerate(names) if name.lower() in REASONS]
    verdicts = [index for index, name in enumerate(names) if _decides(name, properties[name])]
    if reasons and verdicts and reasons[0] > verdicts[0]:
        text = f"{names[verdicts[0]]!r} is written before {names[reasons[0]]!r}, and so decided before it is thought of"
        yield "properties", f"{text}: put the reason first"


def _decides(name: str, schema: Any) -> bool:
    return name.lower() in VERDICTS or (
        isinstance(schema, Mapping) and ("enum" in schema or "boolean" in types(schema))
    )


def _inside_itself(root: Schema, place: Place) -> bool:
    target = named(root, place.schema.get("$ref"))
    return target is not None and (place.pointer + "/").startswith(target.pointer + "/")
