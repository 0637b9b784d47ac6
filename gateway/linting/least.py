"""The fewest tokens of any answer that a format allows: a bound that is never too high, to refuse a ceiling below it.

Two bounds that hold for every valid answer, whatever its order and blanks; the higher counts. No answer has fewer
characters than the shortest JSON that satisfies each keyword by itself, and no token is longer than the vocabulary's
longest. And names of required properties and constants are known texts: where the vocabulary has no token for one with
its quotes, tokens must meet inside it (`Cuts`). Both assume that names and constants are written without escapes that
they do not need. Knows no engine; a keyword that it does not know makes the bound lower, never wrong.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.exchange.wanted import Format
from gateway.linting.places import Schema, listed, mapped, named, names
from gateway.linting.widths import shortest
from serving.frozen import dataclass

# Where the vocabulary is not known: those of GPT-2, Llama 3 and Qwen 2.5 end at 128 characters (a run of blanks).
LONGEST_TOKEN = 128
LEVELS = 64  # deeper the bound is that of any value: references may be circles
# More than any window; lengths beyond it would only make numbers that are slow to add.
MOST = 2**40

CutsOf = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Least:
    """Of a text: characters, and meetings of two tokens within its known parts. Each at least so many."""

    chars: int
    cuts: int = 0

    def __add__(self, other: "Least") -> "Least":
        return Least(min(self.chars + other.chars, MOST), min(self.cuts + other.cuts, MOST))

    def times(self, count: int) -> "Least":
        return Least(min(self.chars * count, MOST), min(self.cuts * count, MOST))


ANY = Least(1)


def least_tokens(format: Format, cuts: CutsOf | None = None, longest: int = LONGEST_TOKEN) -> int:
    """Of the content; 1 where the format bounds nothing.

    `cuts` and `longest` are of the vocabulary: at how many places tokens must meet inside a known text
    (`gateway.linting.cuts`), and the characters of the longest token.
    """
    known = cuts or (lambda text: 0)
    least = _content(format, known)
    return max(1, 1 + least.cuts, -(-least.chars // longest))


def _content(format: Format, cuts: CutsOf) -> Least:
    if format.tools:  # it may call one instead
        return ANY
    match format.kind:
        case "json":
            return _Reading(format.schema or {}, cuts).value(format.schema or {})
        case "choice" if format.choices:
            return Least(min(map(len, format.choices)))
        case "regex":
            return Least(shortest(format.regex or ""))
    return ANY


class _Reading:
    """Bounds of the schemas in `root`; each is found once, since a few references can name it very often."""

    def __init__(self, root: Schema, cuts: CutsOf) -> None:
        self._root = root
        self._cuts = cuts
        self._found = dict[int, tuple[Any, Least]]()  # with the schema, so that its id stays its own
        self._level = 0

    def value(self, schema: Any) -> Least:
        """Of any value that satisfies the schema."""
        if not isinstance(schema, Mapping) or self._level >= LEVELS:
            return ANY
        if id(schema) not in self._found:
            self._found[id(schema)] = schema, ANY  # within itself it is any value
            self._level += 1
            self._found[id(schema)] = schema, self._most(schema)
            self._level -= 1
        return self._found[id(schema)][1]

    def _most(self, schema: Schema) -> Least:
        """Every keyword must hold, so the highest bound of them counts."""
        bounds = [self._typed(schema)]
        target = named(self._root, schema.get("$ref"))
        bounds += [self.value(target.schema)] if target else []
        bounds += map(self.value, listed(schema, "allOf"))
        for word in ("anyOf", "oneOf"):
            bounds += [_lowest(map(self.value, listed(schema, word)))] if listed(schema, word) else []
        if "const" in schema:
            bounds.append(self._constant(schema["const"]))
        if listed(schema, "enum"):
            bounds.append(_lowest(map(self._constant, schema["enum"])))
        return Least(max(bound.chars for bound in bounds), max(bound.cuts for bound in bounds))

    def _typed(self, schema: Schema) -> Least:
        given = schema.get("type")
        kinds = given if isinstance(given, list) else [given]
        return _lowest(self._of_type(schema, kind) for kind in kinds) if kinds else ANY

    def _of_type(self, schema: Schema, kind: Any) -> Least:
        match kind:
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema)
            case "string":
                return Least(2 + max(_count(schema, "minLength"), _width(schema)))
            case "boolean" | "null":
                return Least(4)  # true, null
        return ANY  # a number, or whatever is not told

    def _object(self, schema: Schema) -> Least:
        known, required = mapped(schema, "properties"), set(names(schema))
        least = Least(2)
        for name in required:
            least += self._text(name) + Least(1) + self.value(known.get(name))
        further = max(0, _count(schema, "minProperties") - len(required))
        commas = max(0, len(required) + further - 1)
        return least + Least(len('"":0')).times(further) + Least(commas)

    def _array(self, schema: Schema) -> Least:
        count, first = _count(schema, "minItems"), listed(schema, "prefixItems")
        least = Least(2)
        for item in first[:count]:
            least += self.value(item)
        rest = max(0, count - len(first))
        return least + self.value(schema.get("items")).times(rest) + Least(max(0, count - 1))

    def _constant(self, value: Any) -> Least:
        match value:
            case str():
                return self._text(value)
            case dict():
                return self._object({"properties": {k: {"const": v} for k, v in value.items()}, "required": [*value]})
            case list():
                return self._array({"prefixItems": [{"const": item} for item in value], "minItems": len(value)})
            case bool() | None:
                return Least(4)
        return ANY  # a number has many ways to be written

    def _text(self, text: str) -> Least:
        quoted = json.dumps(text, ensure_ascii=False)
        return Least(len(quoted), self._cuts(quoted))


def _lowest(bounds: Iterable[Least]) -> Least:
    found = list(bounds)
    return Least(min(bound.chars for bound in found), min(bound.cuts for bound in found))


def _width(schema: Schema) -> int:
    pattern = schema.get("pattern")
    return min(shortest(pattern), MOST) if isinstance(pattern, str) else 0


def _count(schema: Schema, word: str) -> int:
    found = schema.get(word)
    return int(min(found, MOST)) if isinstance(found, (int, float)) and found > 0 else 0
