"""What the engine takes but does not hold answers to (xgrammar 0.2.8): an answer may fail the gateway's check.

The gateway checks every answer against the whole schema, so each of these costs answers, never correctness. A `format`
is not among them: no answer fails by it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from gateway.linting import disjoint, patterns
from gateway.linting.note import Note
from gateway.linting.places import ALONE, Place, Schema, followed, governing, mapped, names, reached
from gateway.linting.refused import types

# What xgrammar does not know at all, wherever it stands.
UNKNOWN = ("not", "if", "dependentRequired", "dependentSchemas", "dependencies", "$dynamicRef", "$recursiveRef")
# Keywords from which xgrammar gathers the type where none is named.
TELLS = {"object": ("properties", "additionalProperties", "unevaluatedProperties"),
         "array": ("items", "prefixItems", "unevaluatedItems")}  # fmt: skip
ASSERTS = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength", "pattern"),
    "array": ("minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains", "items", "prefixItems"),
    "object": ("required", "minProperties", "maxProperties", "patternProperties", "propertyNames", "properties",
               "additionalProperties", "unevaluatedProperties"),
}  # fmt: skip
EVERY = frozenset(word for words in ASSERTS.values() for word in words)


def ignored(root: Schema) -> Iterator[Note]:
    """A warning for everything that the engine does not enforce, and what its patterns are worth."""
    for place in reached(root):
        if isinstance(place.schema, Mapping):
            said = (*_unknown(place.schema), *_beside(root, place.schema), *_overlapping(root, place.schema),
                    *_reference(place.schema), *_asserted(place.schema))  # fmt: skip
            yield from (Note("warning", place.pointer, word, text) for word, text in said)
            yield from _patterns(place)


def _unknown(schema: Schema) -> Iterator[tuple[str, str]]:
    for word in UNKNOWN:
        if word in schema and not (word == "if" and not schema.keys() & {"then", "else"}):
            yield word, f"the engine does not enforce {word}; say it in the description, or write it as anyOf"


def _beside(root: Schema, schema: Schema) -> Iterator[tuple[str, str]]:
    """What stands beside a keyword that is read alone."""
    alone = governing(schema)
    rest = {word: value for word, value in schema.items() if word != alone and word in EVERY | {"type", *ALONE}}
    if alone is None or not rest or _implied(root, schema, alone, rest):
        return
    told = ", ".join(sorted(rest))
    yield min(rest), f"beside {alone} the engine does not enforce {told}; move them into the schemas of {alone}"


def _implied(root: Schema, schema: Schema, alone: str, rest: Mapping[str, Any]) -> bool:
    """Whether what the engine reads already says what stands beside it."""
    if alone in ("const", "enum"):
        return _all_valid([schema["const"]] if alone == "const" else schema["enum"], rest)
    if rest.keys() != {"type"}:
        return False
    branches = [schema] if alone == "$ref" else schema[alone]
    return isinstance(branches, list) and all(_within(root, branch, types(rest)) for branch in branches)


def _all_valid(values: Any, rest: Mapping[str, Any]) -> bool:
    try:
        validator = jsonschema_rs.validator_for(dict(rest), offline=True, pattern_options=jsonschema_rs.RegexOptions())
        return isinstance(values, list) and all(map(validator.is_valid, values))
    except ValueError:  # references out of this piece, or what is no schema
        return False


def _within(root: Schema, branch: Any, allowed: frozenset[str]) -> bool:
    """Whether whatever satisfies the branch as the engine reads it is of one of these types."""
    branch = followed(root, branch)
    if not isinstance(branch, Mapping):
        return False
    alone = governing(branch)
    if alone in ("anyOf", "oneOf", "allOf") and isinstance(branch[alone], list) and len(branch[alone]) > 0:
        return all(_within(root, inner, allowed) for inner in branch[alone] if inner is not branch)
    if alone in ("const", "enum"):
        return _all_valid([branch["const"]] if alone == "const" else branch["enum"], {"type": sorted(allowed)})
    widened = allowed | {"integer"} if "number" in allowed else allowed
    return bool(kinds(branch)) and kinds(branch) <= widened


def kinds(schema: Schema) -> frozenset[str]:
    """The types that the engine writes here: those named, else the one that it gathers; empty for any."""
    gathered = [kind for kind, words in TELLS.items() if any(word in schema for word in words)]
    return types(schema) or frozenset(gathered[:1])


def _overlapping(root: Schema, schema: Schema) -> Iterator[tuple[str, str]]:
    if (
        governing(schema) == "oneOf"
        and isinstance(schema["oneOf"], list)
        and not disjoint.all_of(root, schema["oneOf"])
    ):
        text = (
            "the engine reads oneOf as anyOf: an answer may match several; tell them apart by a const that is required"
        )
        yield "oneOf", text


def _reference(schema: Schema) -> Iterator[tuple[str, str]]:
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference != "#" and not reference.startswith("#/"):
        yield "$ref", f"the engine does not follow {reference}: anything may stand there; write #/$defs/..."


def _asserted(schema: Schema) -> Iterator[tuple[str, str]]:
    """Keywords that need a type which is not named, and what is not enforced although it is."""
    if governing(schema) is not None:
        return
    here = kinds(schema)
    if not here:
        untyped = sorted(word for word in EVERY if word in schema and not _vacuous(schema, word))
        if untyped:
            yield untyped[0], f"without a type the engine does not enforce {', '.join(untyped)}; name the type"
        return
    if "object" in here:
        yield from _required(schema)
    if "array" in here and "array" not in types(schema):
        unread = [word for word in ("uniqueItems", "contains") if schema.get(word)]
        yield from ((word, f"the engine does not enforce {word}; leave it out") for word in unread)
    if "string" in here and "pattern" in schema and "format" in schema:
        yield "pattern", "beside a format the engine does not enforce the pattern; leave the format out"


def _vacuous(schema: Schema, word: str) -> bool:
    return schema[word] in ([], False)


def _required(schema: Schema) -> Iterator[tuple[str, str]]:
    unnamed = [name for name in names(schema) if name not in mapped(schema, "properties")]
    if unnamed:
        yield "required", f"the engine does not demand {unnamed[0]!r}, which properties does not name; name it there"


def _patterns(place: Place) -> Iterator[Note]:
    if governing(place.schema) is not None:
        return
    if "string" in types(place.schema) and isinstance(place.schema.get("pattern"), str):
        yield from (Note(how, place.pointer, "pattern", text) for how, text in patterns.read(place.schema["pattern"]))
    for name in mapped(place.schema, "patternProperties"):
        said = patterns.read(name)
        yield from (Note(how, place.pointer, "patternProperties", f"{name!r}: {text}") for how, text in said)
