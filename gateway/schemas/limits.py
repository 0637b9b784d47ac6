"""What a schema may be at most, whoever sends it. Knows no request.

A schema above one of these is refused before anything is spent; what is below may still be slow, and is then checked
by a process of its own (`shape`, `workers`). Size and depth are those that requests are read with.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.schemas.keywords import patterns
from serving.shapes import SCHEMA_BYTES as BYTES
from serving.shapes import SCHEMA_LEVELS as DEPTH

VALUES = 5_000  # of all its enums together; OpenAI takes 1,000
PATTERN = 4_096  # characters of one pattern
COMPARISONS = 20_000  # schemas that one value may have to be compared with, see `shape`


class TooMuch(ValueError):
    """A schema above a limit; the message has its number, the limit and what to do."""


def written(schema: Mapping[str, Any]) -> bytes:
    """Its JSON, with sorted keys. Raises TooMuch where it nests too deeply to be written, ValueError: no JSON."""
    try:
        return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        _shallow(schema)
        raise ValueError(f"it is no JSON that can be sent on: {error}") from error


def bounded(schema: Mapping[str, Any], text: bytes) -> None:
    """Raises TooMuch: depth, size, values, patterns. `text` is the schema, written."""
    _shallow(schema)
    _most(len(text), BYTES, "has {0:,} bytes", "leave out what the answer does not need")
    listed = (one["enum"] for one in _objects(schema) if isinstance(one.get("enum"), list))
    _most(sum(map(len, listed)), VALUES, "lists {0:,} values in its enums", "describe them by a pattern")
    longest = max((len(pattern) for one in _objects(schema) for pattern in patterns(one)), default=0)
    _most(longest, PATTERN, "has a pattern of {0:,} characters", "simplify it")


def _shallow(schema: Mapping[str, Any]) -> None:
    _most(max(depth for _, depth in _walk(schema)), DEPTH, "nests {0:,} levels deep", "flatten it")


def _walk(schema: Any) -> Iterator[tuple[Any, int]]:
    """Every object and list with its depth, down to one level below the limit."""
    waiting: list[tuple[Any, int]] = [(schema, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        if depth <= DEPTH:
            inner = node.values() if isinstance(node, Mapping) else node
            waiting.extend((one, depth + 1) for one in inner if isinstance(one, (Mapping, list)))


def _objects(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (node for node, _ in _walk(schema) if isinstance(node, Mapping))


def _most(number: int, limit: int, what: str, remedy: str) -> None:
    if number > limit:
        raise TooMuch(f"it {what.format(number)}, and may have {limit:,} at most: {remedy}")
