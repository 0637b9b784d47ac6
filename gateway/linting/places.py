"""Which subschemas of a JSON Schema the engine (xgrammar 0.2.8) reads, and what a reference in it means. Knows no rule.

Local references are followed, and each place is seen once, so that a schema that refers to itself ends. What the engine
never reads is not reached: definitions that nothing names, and what stands beside a keyword that it reads alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from serving.frozen import dataclass

Schema = Mapping[str, Any]
# Of these the engine reads the first that is there, and of what stands beside it nothing.
ALONE = ("$ref", "const", "enum", "anyOf", "oneOf", "allOf")
MAPS = ("properties", "patternProperties")
SINGLE = ("items", "unevaluatedItems", "additionalProperties", "unevaluatedProperties")


@dataclass(frozen=True, slots=True)
class Place:
    """A subschema and its JSON Pointer (RFC 6901)."""

    pointer: str
    schema: Any

    def at(self, *keys: str | int) -> "Place":
        """The place under these keys. Raises KeyError or IndexError."""
        place = self
        for key in keys:
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            place = Place(f"{place.pointer}/{escaped}", place.schema[key])
        return place


def listed(schema: Schema, word: str) -> list[Any]:
    """What is listed under a keyword; nothing where no list is."""
    found = schema.get(word)
    return found if isinstance(found, list) else []


def mapped(schema: Schema, word: str) -> Mapping[str, Any]:
    """What is mapped under a keyword; nothing where no object is."""
    found = schema.get(word)
    return found if isinstance(found, Mapping) else {}


def names(schema: Schema) -> list[str]:
    """The properties that are required."""
    return [name for name in listed(schema, "required") if isinstance(name, str)]


def governing(schema: Schema) -> str | None:
    """The keyword that the engine reads alone, where there is one."""
    return next((word for word in ALONE if word in schema), None)


def children(place: Place) -> Iterator[Place]:
    """The subschemas directly in this one that the engine reads; references are not followed."""
    alone = governing(place.schema)
    if alone is not None:
        yield from _listed(place, alone)
        return
    for key in MAPS:
        yield from (place.at(key, name) for name in mapped(place.schema, key))
    yield from _listed(place, "prefixItems")
    yield from (place.at(key) for key in SINGLE if isinstance(place.schema.get(key), (Mapping, bool)))
    if isinstance(place.schema.get("propertyNames"), Mapping):
        inner = place.at("propertyNames")
        yield Place(inner.pointer, {"type": "string", **inner.schema})  # names are strings without its being said


def _listed(place: Place, key: str) -> Iterator[Place]:
    if key not in ("const", "enum"):
        yield from (place.at(key, index) for index in range(len(listed(place.schema, key))))


def reached(root: Schema) -> Iterator[Place]:
    """Every subschema that an answer may meet, each once, the root first; `true` and `false` among them."""
    waiting, seen = [Place("", root)], set[str]()
    while waiting:
        place = waiting.pop()
        if place.pointer in seen:
            continue
        seen.add(place.pointer)
        yield place
        if isinstance(place.schema, Mapping):
            target = named(root, place.schema.get("$ref"))
            waiting += [*reversed(list(children(place))), *([target] if target else [])]


def named(root: Schema, reference: Any) -> Place | None:
    """What a local reference (`#/$defs/x`, RFC 6901 as the engine reads it) names; None when it names nothing."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    try:
        return Place("", root).at(*reference.split("/")[1:])
    except (KeyError, IndexError, TypeError, AttributeError):
        return None


def followed(root: Schema, schema: Any) -> Any:
    """The schema, or what its chain of references ends in."""
    for _ in range(32):  # more is a circle
        target = named(root, schema.get("$ref")) if isinstance(schema, Mapping) else None
        if target is None:
            return schema
        schema = target.schema
    return schema
