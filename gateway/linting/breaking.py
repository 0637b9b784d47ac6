"""Schemas that the engine takes and then fails on, or works on for so long that others wait for theirs.

The first end in a 500 that looks like an engine that is down. The second keep the one thread, or few, in which vLLM
compiles grammars: whoever else wants an answer of a new schema waits behind. A gateway refuses both itself. Seen with
vLLM 0.32 and xgrammar 0.2.8 for patterns in schemas and for properties that may be left out.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

from gateway.linting.bounds import HIGHEST, LOWEST
from gateway.linting.patterns import MAX_REPEATS, REPEATS, TOKENS
from gateway.linting.places import Schema, mapped, names, reached
from gateway.linting.refused import types

# Measured on two cores with a vocabulary of 4,096. Some 1 ms for each position of a pattern and alternative that is
# repeated around it (20 of .{0,60}: 29 s); for properties that may be left out 0.1 s for 200, growing with the square
# (800: 3.4 s); 5 ms for a number with bounds. Each limit is some 0.3 s, which a neighbour can wait.
EFFORT = 400
OPTIONAL = 250
BOUNDED = 60
BOUNDS = {*LOWEST, *HIGHEST}
KEPT = 256  # schemas, as in gateway.schemas


def breaking(schema: Schema) -> str | None:
    """What in this schema the engine fails on or takes too long for, and what to change; None: nothing is known of."""
    return _kept(json.dumps(schema))


@lru_cache(KEPT)
def _kept(text: str) -> str | None:
    efforts, squares, bounded = 0, 0, 0
    for place in reached(json.loads(text)):
        if not isinstance(place.schema, Mapping):
            continue
        bounded += is_bounded(place.schema)
        squares += optional(place.schema) ** 2
        for tokens in map(TOKENS.findall, _patterns(place.schema)):
            if max(map(_most, tokens), default=0) > MAX_REPEATS:
                what = (
                    f"a pattern at {place.pointer or 'the top'} counts beyond {MAX_REPEATS}, on which the engine fails"
                )
                return f"{what}: write * or +, or leave the pattern out and set maxLength"
        efforts += effort(place.schema)
    if efforts > EFFORT:
        return f"its patterns take the engine {efforts:,} steps, and {EFFORT:,} are the most: count less, or to less"
    if squares > OPTIONAL**2:
        return f"it has more than {OPTIONAL} properties that may be left out: require them, or split the schema"
    if bounded > BOUNDED:
        return (
            f"it has {bounded} numbers with bounds, and {BOUNDED} are the most: make them integers, or leave bounds out"
        )
    return None


def broken(pattern: str) -> bool:
    """Whether the engine fails on this pattern, or takes too long for it alone."""
    tokens = TOKENS.findall(pattern)
    return max(map(_most, tokens), default=0) > MAX_REPEATS or _effort(tokens) > EFFORT


def effort(schema: Mapping[str, Any]) -> int:
    """Of the patterns of one subschema."""
    return sum(_effort(TOKENS.findall(pattern)) for pattern in _patterns(schema))


def optional(schema: Mapping[str, Any]) -> int:
    """The properties of one subschema that may be left out."""
    return len(mapped(schema, "properties").keys() - set(names(schema)))


def is_bounded(schema: Mapping[str, Any]) -> bool:
    """Whether one subschema is a number with bounds."""
    return "number" in types(schema) and bool(schema.keys() & BOUNDS)


def _patterns(schema: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(schema.get("pattern"), str):
        yield schema["pattern"]
    yield from mapped(schema, "patternProperties")


def _most(token: str) -> int:
    """The higher bound of a token that is a count."""
    found = REPEATS.fullmatch(token)
    return max(int(found[1]), int(found[3] or 0)) if found else 0


def _effort(tokens: list[str]) -> int:
    """Characters that a text may have at places of their own, times the alternatives of what is repeated."""
    positions, widest, branches = 0, 1, [0]
    for token, following in pairwise([*tokens, ""]):
        if token.startswith("("):
            branches.append(1)
        elif token == "|":
            branches[-1] += 1
        elif token == ")" and len(branches) > 1:
            closed = branches.pop()
            widest = max(widest, closed) if _repeats(following) else widest
            positions += _most(following)
        elif not _repeats(token):
            positions += max(1, _most(following))
    return positions * widest


def _repeats(token: str) -> bool:
    return token in ("*", "+", "?") or token.startswith("{")
