"""What the engine refuses: what vLLM 0.32 looks for before it asks xgrammar, and what xgrammar 0.2.8 refuses itself.

The first (`has_xgrammar_unsupported_json_features`) reads every object in the schema, reached or not and whatever it is
there for, and so does `prechecked`. The second meets only what an answer can reach.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.linting import bounds
from gateway.linting.note import Note
from gateway.linting.places import Place, Schema, named, reached

FORMATS = frozenset(
    ("email", "date", "time", "date-time", "duration", "ipv4", "ipv6", "hostname", "uuid", "uri", "uri-reference",
     "uri-template", "json-pointer", "relative-json-pointer")
)  # fmt: skip
TYPES = frozenset(("string", "integer", "number", "boolean", "null", "object", "array"))
ARRAYS = ("uniqueItems", "contains", "minContains", "maxContains")


def types(schema: Schema) -> frozenset[str]:
    """The types that `type` names; empty when it names none."""
    given = schema.get("type")
    return frozenset((given,) if isinstance(given, str) else filter(_text, given) if isinstance(given, list) else ())


def _text(value: Any) -> bool:
    return isinstance(value, str)


def refused(root: Schema) -> Iterator[Note]:
    """An error for everything that makes the engine refuse this schema."""
    yield from prechecked(Place("", root))
    for place in reached(root):
        if place.schema is False:
            yield from _false(place)
        elif isinstance(place.schema, Mapping):
            yield from _reference(root, place)
            yield from bounds.refused(place, types(place.schema))
            yield from _malformed(place)


def prechecked(place: Place) -> Iterator[Note]:
    """What vLLM refuses before xgrammar sees it, in any object or list of objects below this place."""
    if isinstance(place.schema, Mapping):
        yield from (Note("error", place.pointer, word, text) for word, text in _unsupported(place.schema))
    keys = list(place.schema) if isinstance(place.schema, Mapping) else range(len(place.schema))
    for key in keys:
        inner = place.at(key)
        # As vLLM does: objects in objects and in lists, but no lists in lists.
        if isinstance(inner.schema, Mapping) or (isinstance(inner.schema, list) and isinstance(key, str)):
            yield from prechecked(inner)


def _unsupported(schema: Schema) -> Iterator[tuple[str, str]]:
    kinds = types(schema)
    if kinds & {"integer", "number"} and "multipleOf" in schema:
        yield "multipleOf", "the engine refuses multipleOf; leave it out and say it in the description"
    if "array" in kinds:
        yield from ((word, f"the engine refuses {word}; leave it out") for word in ARRAYS if word in schema)
    if "string" in kinds:
        yield from _strings(schema)
    if "object" in kinds:
        yield from _objects(schema)
    if isinstance(schema.get("allOf"), list) and len(schema["allOf"]) >= 2:
        yield "allOf", "the engine refuses an allOf of two or more; write them as one schema"


def _strings(schema: Schema) -> Iterator[tuple[str, str]]:
    if "format" in schema and not (_text(schema["format"]) and schema["format"] in FORMATS):
        yield "format", f"the engine refuses the format {schema['format']!r}; leave it out, or write a pattern"
    if _patterned_with_length(schema):
        yield "pattern", "the engine refuses lengths beside pattern or format; put them into the pattern: ^.{1,64}$"


def _patterned_with_length(schema: Any) -> bool:
    return bool(schema.keys() & {"pattern", "format"} and schema.keys() & {"minLength", "maxLength"})


def _objects(schema: Schema) -> Iterator[tuple[str, str]]:
    names, patterns = schema.get("propertyNames"), schema.get("patternProperties")
    if "propertyNames" in schema:
        others = [word for word in ("patternProperties", "properties") if word in schema]
        if schema.get("unevaluatedProperties", True) is not True:
            others.append("unevaluatedProperties")
        if others:
            yield "propertyNames", f"the engine refuses propertyNames beside {others[0]}; leave one of them out"
        if isinstance(names, Mapping) and _patterned_with_length(names):
            yield "propertyNames", "the engine refuses lengths beside pattern or format; put them into the pattern"
    if isinstance(patterns, Mapping) and ("properties" in schema or len(patterns) > 1):
        what = "beside properties" if "properties" in schema else "of more than one pattern"
        yield "patternProperties", f"the engine refuses patternProperties {what}; name the properties instead"


def _false(place: Place) -> Iterator[Note]:
    """`false` says what may not be there; where something must be, the engine finds no way."""
    parent, _, last = place.pointer.rpartition("/")
    word = last if not parent.rpartition("/")[2] else parent.rpartition("/")[2]
    if last not in ("items", "additionalItems", "additionalProperties", "unevaluatedItems", "unevaluatedProperties",
                    "then", "else", "not", "if", "contains"):  # fmt: skip
        yield Note("error", place.pointer, word, "the engine refuses a schema that is false here; leave it out")


def _reference(root: Schema, place: Place) -> Iterator[Note]:
    reference = place.schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/") and named(root, reference) is None:
        text = f"the engine finds nothing at {reference}: it knows names only, no escapes (~1, %20), no numbers"
        yield Note("error", place.pointer, "$ref", text)


def _malformed(place: Place) -> Iterator[Note]:
    unknown = types(place.schema) - TYPES
    if unknown:
        yield Note("error", place.pointer, "type", f"there is no type {min(unknown)!r} in JSON Schema")
    if isinstance(place.schema.get("items"), list):
        text = "the engine refuses a list of schemas as items (draft 4 to 7); write prefixItems"
        yield Note("error", place.pointer, "items", text)
    if place.schema.get("enum") == []:
        yield Note("error", place.pointer, "enum", "an enum of no value: no answer can be valid")
    if "required" in place.schema and not isinstance(place.schema["required"], list):
        yield Note("error", place.pointer, "required", "required is a list of names, beside properties (draft 4 on)")
