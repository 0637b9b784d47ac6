"""One subschema, made one that the engine takes: what its keywords cannot be beside each other is left out, or written
otherwise. Never fewer values than before. Knows no alternatives and no references.

Of two keywords the one is kept that says more of what a model would else get wrong: a pattern before lengths and
format, properties before patterns of names.
"""

import json
import re
from collections.abc import Callable
from math import ceil, floor
from typing import Any

from gateway.linting.bounds import HIGHEST, INT64, LOWEST, PAIRS
from gateway.linting.breaking import broken
from gateway.linting.patterns import MAX_REPEATS, REPEATS, TOKENS, usable
from gateway.linting.refused import FORMATS, types

Node = dict[str, Any]
Lose = Callable[[str], None]  # told each keyword that is left to the gateway's check
NUMBERS = frozenset(("integer", "number"))
ENDLESS = ("*", "+")
ONE = re.compile(r"\\[dDwWsS]|\\[^A-Za-z0-9]|\[.+\]|[A-Za-z0-9_.-]", re.DOTALL)  # tokens that are one character each
# Patterns that say less than a length or a format beside them.
ANYTHING = frozenset(("", "^.*$", ".*", "^.*", "^(.*)$", "^[\\s\\S]*$", "[\\s\\S]*"))


def fitted(node: Node, lose: Lose) -> Node | bool:
    """`node` as the engine takes it; False where it allows no value at all."""
    kinds = types(node)
    if kinds and kinds <= NUMBERS and _empty(node, whole="number" not in kinds):
        return False
    _numbers(node, lose)
    _counts(node, lose)
    _text(node, lose)
    if "array" in kinds or "prefixItems" in node or "items" in node:
        _array(node)
    if "object" in kinds or node.keys() & {"properties", "patternProperties", "propertyNames"}:
        _object(node, lose)
    return node


def _without(node: Node, lose: Lose, *words: str) -> None:
    for word in words:
        if word in node:
            del node[word]
            lose(word)


def _empty(node: Node, whole: bool) -> bool:
    lows = [node[word] + (whole and word == LOWEST[1]) for word in LOWEST if word in node]
    highs = [node[word] - (whole and word == HIGHEST[1]) for word in HIGHEST if word in node]
    return bool(lows and highs) and bool(max(lows) > min(highs))


def _numbers(node: Node, lose: Lose) -> None:
    """Whole bounds of integers, of 64 bits."""
    for word in (*LOWEST, *HIGHEST):
        if word in node and "integer" in types(node):
            _whole(node, word, lose)
    if _empty(node, whole=False):
        _without(node, lose, *LOWEST, *HIGHEST)


def _whole(node: Node, word: str, lose: Lose) -> None:
    bound = node[word]
    if not -INT64 <= bound < INT64 or (bound != int(bound) and "number" in types(node)):
        _without(node, lose, word)
    elif bound == int(bound):
        node[word] = int(bound)
    elif word in LOWEST:
        del node[word]
        node["minimum"] = ceil(max(bound, node.get("minimum", bound)))
    else:
        del node[word]
        node["maximum"] = floor(min(bound, node.get("maximum", bound)))


def _counts(node: Node, lose: Lose) -> None:
    for low, high, _ in PAIRS:
        if low in node and high in node and node[low] > node[high]:
            _without(node, lose, low, high)


def _text(node: Node, lose: Lose) -> None:
    pattern = node.get("pattern")
    if (pattern in ANYTHING and node.keys() & {"minLength", "maxLength", "format"}) or (
        pattern is not None and (broken(pattern) or not usable(pattern))
    ):
        _without(node, lose, "pattern")
    if "format" in node and node["format"] not in FORMATS:
        _without(node, lose, "format")
    if "pattern" in node:
        _without(node, lose, "format")
        if node.keys() & {"minLength", "maxLength"}:
            _folded(node)
    if "pattern" in node or "format" in node:
        _without(node, lose, "minLength", "maxLength")


def _folded(node: Node) -> None:
    """Lengths beside the pattern of one repeated class, written as its count."""
    tokens = TOKENS.findall(node["pattern"])
    if len(tokens) != 4 or (tokens[0], tokens[3]) != ("^", "$") or not ONE.fullmatch(tokens[1]):
        return
    counts = REPEATS.fullmatch(tokens[2])
    if counts is None and tokens[2] not in ENDLESS:
        return
    least = int(counts[1]) if counts else int(tokens[2] == "+")
    most = None if counts is None else int(counts[1]) if counts[2] is None else int(counts[3]) if counts[3] else None
    least = max(least, node.get("minLength", 0))
    longest = [bound for bound in (most, node.get("maxLength")) if bound is not None]
    if max(least, *longest, 0) > MAX_REPEATS or (longest and min(longest) < least):
        return
    node["pattern"] = f"^{tokens[1]}{{{least},{min(longest) if longest else ''}}}$"
    node.pop("minLength", None)
    node.pop("maxLength", None)


def _array(node: Node) -> None:
    first = node.get("prefixItems", [])
    if node.get("maxItems", len(first)) < len(first):
        first = node["prefixItems"] = first[: node["maxItems"]]
    if not first:
        node.pop("prefixItems", None)
    if node.get("minItems", 0) > len(first) and "items" not in node:
        node["items"] = {}


def _object(node: Node, lose: Lose) -> None:
    named, keyed = node.get("properties"), node.get("patternProperties")
    if keyed is not None and (named is not None or node.get("required")):
        _without(node, lose, "patternProperties")
        node.pop("additionalProperties", None)  # it did not govern what the patterns did
    elif keyed is not None:
        _keyed(node, keyed, lose)
    if node.keys() & {"properties", "patternProperties", "required"}:
        _without(node, lose, "propertyNames")
    _required(node)
    _room(node, lose)


def _keyed(node: Node, keyed: Node, lose: Lose) -> None:
    """One pattern of names, where there are more; without those that the engine does not know."""
    known = [name for name in keyed if not broken(name) and usable(name)]
    if len(known) == len(keyed) == 1:
        return
    lose("patternProperties")
    node.pop("additionalProperties", None)
    if known:
        node["patternProperties"] = {known[0]: keyed[known[0]]}
    else:
        del node["patternProperties"]


def _required(node: Node) -> None:
    """The engine demands only what properties names."""
    known, extra = node.get("properties"), node.get("additionalProperties")
    unnamed = [name for name in node.get("required", ()) if name not in (known or {})]
    if unnamed and extra is not False:
        own = json.loads(json.dumps(extra)) if isinstance(extra, dict) else {}
        node["properties"] = {**(known or {}), **dict.fromkeys(unnamed, own)}
        if known is None:
            node.setdefault("additionalProperties", {})


def _room(node: Node, lose: Lose) -> None:
    known = len(node.get("properties", ()))
    if node.get("minProperties", 0) > known and not node.keys() & {"patternProperties", "propertyNames"}:
        if node.get("additionalProperties") is False:
            _without(node, lose, "minProperties")
        else:
            node.setdefault("additionalProperties", {})
    if node.get("maxProperties", known) < len(node.get("required", ())):
        _without(node, lose, "maxProperties")
