"""Bounds of numbers, lengths and counts, as xgrammar 0.2.8 takes them. Knows no references."""

from collections.abc import Iterator
from typing import Any

from gateway.linting.note import Note
from gateway.linting.places import Place, Schema, listed, mapped, names

INT64 = 2**63
LOWEST, HIGHEST = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
PAIRS = (("minLength", "maxLength", "string"), ("minItems", "maxItems", "array"),
         ("minProperties", "maxProperties", "object"))  # fmt: skip
COUNTS = tuple(word for low, high, _ in PAIRS for word in (low, high))
EXTRA_ITEMS, EXTRA_PROPERTIES = ("items", "unevaluatedItems"), ("additionalProperties", "unevaluatedProperties")


def refused(place: Place, types: frozenset[str]) -> Iterator[Note]:
    """An error for each bound that the engine cannot take. `types` are those that the schema names."""
    said = (*_numbers(place.schema, types), *_counts(place.schema, types), *_room(place.schema, types))
    yield from (Note("error", place.pointer, word, text) for word, text in said)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _numbers(schema: Schema, types: frozenset[str]) -> Iterator[tuple[str, str]]:
    if not types & {"integer", "number"}:
        return
    for word in (*LOWEST, *HIGHEST):
        if word not in schema:
            continue
        bound: Any = schema[word]
        if not _number(bound):
            yield word, f"{word} must be a number (since draft 6)"
        elif "integer" in types and isinstance(bound, float) and not bound.is_integer():
            yield word, f"the engine takes only whole bounds of integers: {word} {bound:g}"
        elif "integer" in types and not -INT64 <= bound < INT64:
            yield word, f"the engine takes bounds of 64 bits: {word} {bound}"
    yield from _range(schema, whole="integer" in types)


def _range(schema: Schema, whole: bool) -> Iterator[tuple[str, str]]:
    lows = [schema[word] + (whole and word == LOWEST[1]) for word in LOWEST if _number(schema.get(word))]
    highs = [schema[word] - (whole and word == HIGHEST[1]) for word in HIGHEST if _number(schema.get(word))]
    if lows and highs and max(lows) > min(highs):
        yield LOWEST[0], "the lowest value is over the highest: no number is valid"


def _counts(schema: Schema, types: frozenset[str]) -> Iterator[tuple[str, str]]:
    for low, high, kind in PAIRS:
        if types and kind not in types:
            continue
        for word in (low, high):
            if word in schema and not isinstance(schema[word], int):
                yield word, f"{word} must be a whole number, written without a point"
        least, most = schema.get(low, 0), schema.get(high)
        if isinstance(least, int) and isinstance(most, int) and least > most:
            yield low, f"{low} {least} is more than {high} {most}"


def _room(schema: Schema, types: frozenset[str]) -> Iterator[tuple[str, str]]:
    """An array without items or an object without properties is of any, but not once it is counted."""
    if "array" in types or "prefixItems" in schema:
        first, more = len(listed(schema, "prefixItems")), any(schema.get(word, False) for word in EXTRA_ITEMS)
        more = more or any(schema.get(word) == {} for word in EXTRA_ITEMS)
        if isinstance(least := schema.get("minItems"), int) and least > first and not more:
            yield "minItems", f"the engine refuses minItems {least} where items does not say of what: write items"
        if isinstance(most := schema.get("maxItems"), int) and most < first:
            yield "maxItems", f"the engine refuses maxItems {most} under {first} prefixItems"
    if "object" in types:
        yield from _properties(schema)


def _properties(schema: Schema) -> Iterator[tuple[str, str]]:
    known, required = len(mapped(schema, "properties")), len(set(names(schema)))
    open_ended = any(schema.get(word, False) is not False for word in (*EXTRA_PROPERTIES, "patternProperties"))
    open_ended = open_ended or "propertyNames" in schema
    if isinstance(least := schema.get("minProperties"), int) and least > known and not open_ended:
        yield (
            "minProperties",
            f"the engine refuses minProperties {least} over {known} properties: name more, or allow "
            "additionalProperties",
        )
    if isinstance(most := schema.get("maxProperties"), int) and most < required:
        yield "maxProperties", f"maxProperties {most} is less than the {required} that are required"
