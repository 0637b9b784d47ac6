"""The keywords of types of one subschema, each as the engine writes it, its schemas relaxed. Knows no alternatives.

A keyword that its dialect does not know, or whose value is none, asserts nothing and is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import Any

from gateway.linting.bounds import COUNTS, HIGHEST, LOWEST
from gateway.linting.places import Place, listed, mapped, names
from gateway.linting.refused import TYPES, types

Node = dict[str, Any]
Relax = Callable[[Place], "Node | bool"]
Lose = Callable[[str], None]
# What the engine refuses or passes over wherever it stands: the gateway's check alone holds answers to it.
LOST = (
    "not", "if", "dependentRequired", "dependentSchemas", "dependencies", "$dynamicRef", "$recursiveRef", "multipleOf",
    "uniqueItems", "contains", "minContains", "maxContains",
)  # fmt: skip


def asserted(schema: Mapping[str, Any]) -> Iterator[str]:
    """Those of LOST that say something here."""
    for word in LOST:
        idle = (word == "if" and not schema.keys() & {"then", "else"}) or schema.get(word) is False
        if word in schema and not idle:
            yield word


def own(place: Place, draft: int, relax: Relax, lose: Lose) -> Node | bool:
    """The keywords of types of what stands at `place`, in a dialect (4, 6, 7, 2019 or 2020)."""
    schema = place.schema
    node: Node = {}
    if kinds := types(schema) & TYPES:
        node["type"] = min(kinds) if isinstance(schema["type"], str) else sorted(kinds, key=schema["type"].index)
    node |= {word: schema[word] for word in (*LOWEST, *HIGHEST) if _number(schema.get(word))}
    node |= {word: int(schema[word]) for word in COUNTS if _number(schema.get(word))}
    node |= {word: schema[word] for word in ("pattern", "format") if isinstance(schema.get(word), str)}
    node |= dict(_arrays(place, draft, relax))
    node |= dict(_objects(place, draft, relax, lose))
    return node


def _number(value: Any) -> bool:
    """Whether it is a number, and no infinite one (1e999)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -inf < value < inf


def _schema(value: Any) -> bool:
    return isinstance(value, (Mapping, bool))


def _arrays(place: Place, draft: int, relax: Relax) -> Iterator[tuple[str, Any]]:
    schema = place.schema
    first, rest = ("prefixItems", "items") if draft >= 2020 else ("items", "additionalItems")
    if listed(schema, first):
        items = [relax(place.at(first, index)) for index in range(len(schema[first]))]
        if False in items:
            most = schema.get("maxItems")
            yield "maxItems", min(items.index(False), int(most) if _number(most) else len(items))
            items = items[: items.index(False)]
        if items:
            yield "prefixItems", items
    elif draft < 2020:
        rest = "items"
    if rest not in schema and draft >= 2019:
        rest = "unevaluatedItems"
    if _schema(schema.get(rest)) and not (rest == "unevaluatedItems" and _applied(schema)):
        yield "items", relax(place.at(rest))


def _objects(place: Place, draft: int, relax: Relax, lose: Lose) -> Iterator[tuple[str, Any]]:
    schema = place.schema
    if mapped(schema, "properties"):
        known = {name: relax(place.at("properties", name)) for name in schema["properties"]}
        yield "properties", {name: node for name, node in known.items() if node is not False}
        if False in known.values() and schema.get("additionalProperties", False) is not False:
            lose("properties")
    if mapped(schema, "patternProperties"):
        keyed = {name: relax(place.at("patternProperties", name)) for name in schema["patternProperties"]}
        yield "patternProperties", {name: {} if node is False else node for name, node in keyed.items()}
    word = "additionalProperties"
    if word not in schema and draft >= 2019 and not _applied(schema):
        word = "unevaluatedProperties"
    if _schema(schema.get(word)):
        yield "additionalProperties", relax(place.at(word))
    if isinstance(schema.get("propertyNames"), Mapping) and draft >= 6:
        inner = place.at("propertyNames")
        names_of = relax(Place(inner.pointer, {"type": "string", **inner.schema}))
        if names_of:
            yield "propertyNames", names_of
    if names(schema):
        yield "required", list(dict.fromkeys(names(schema)))


def _applied(schema: Mapping[str, Any]) -> bool:
    """Whether other schemas beside decide what is evaluated."""
    return bool(schema.keys() & {"$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "if",
                                 "dependentSchemas", "not", "contains"})  # fmt: skip
