"""Schemas that the engine takes and then fails on: its answer is a 500 that looks like an engine that is down.

A gateway refuses them itself, so that they count against no backend, nor against who else uses it. Seen with vLLM 0.32
and xgrammar 0.2.8 for patterns in schemas; a regex by itself and the schemas of tools are compiled in other ways.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.linting.patterns import MAX_REPEATS, REPEATS, TOKENS
from gateway.linting.places import Schema, mapped, reached

HIGH = re.compile(rb"\{\d*,?\d{3,}")  # what a count of a hundred or more looks like: most schemas have none


def breaking(schema: Schema) -> str | None:
    """What in this schema makes the engine fail, and what to change; None where nothing is known to."""
    if not HIGH.search(orjson.dumps(schema)):
        return None
    for place in reached(schema):
        if isinstance(place.schema, Mapping) and any(map(_fails, _patterns(place.schema))):
            where = place.pointer or "the top"
            return (
                f"a pattern at {where} counts beyond {MAX_REPEATS}, on which the engine fails: "
                "write * or +, or leave the pattern out and set maxLength"
            )
    return None


def _patterns(schema: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(schema.get("pattern"), str):
        yield schema["pattern"]
    yield from mapped(schema, "patternProperties")


def _fails(pattern: str) -> bool:
    counts = filter(None, map(REPEATS.fullmatch, TOKENS.findall(pattern)))
    return any(max(int(found[1]), int(found[3] or 0)) > MAX_REPEATS for found in counts)
