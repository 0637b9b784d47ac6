"""Two subschemas as one that the engine reads: whatever satisfies both satisfies it. Knows no document.

Each is of one of five kinds, as `relaxed` makes them: False (nothing), `$ref`, const or enum, `anyOf`, or keywords of
types; beside the first four nothing else stands. What cannot be said in one is lost, never added.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from gateway.linting.bounds import HIGHEST, LOWEST, PAIRS
from gateway.linting.refused import types

Node = dict[str, Any]
Lose = Callable[[str], None]
Follow = Callable[[Node], "Node | bool | None"]  # what a `$ref` names; None where it cannot be written out
MOST = tuple(high for _, high, _ in PAIRS)
LEAST = tuple(low for low, _, _ in PAIRS)
BRANCHES = 8  # alternatives that each get what stands beside them; of more it is lost
DEPTH = 24  # levels of both at once: two references may lead into circles
NUMBERS = frozenset(("integer", "number"))


class Merging:
    """Merges, for one document."""

    def __init__(self, follow: Follow) -> None:
        self._follow, self._depth = follow, 0

    def both(self, one: Node | bool, other: Node | bool, lose: Lose) -> Node | bool:
        """What both allow, or more."""
        if one is False or other is False:
            return False
        if one == other or other in ({}, True):
            return one
        if one in ({}, True):
            return other
        if self._depth >= DEPTH:
            lose("allOf")
            return one
        self._depth += 1
        try:
            return self._merged(one, other, lose)  # type: ignore[arg-type]
        finally:
            self._depth -= 1

    def _merged(self, one: Node, other: Node, lose: Lose) -> Node | bool:
        for here, there in ((one, other), (other, one)):
            if "$ref" in here:
                target = self._follow(here)
                if target is None:
                    lose("$ref")
                    return there
                return self.both(target, there, lose) if here is one else self.both(there, target, lose)
        for here, there in ((one, other), (other, one)):
            if _values(here) is not None:
                return _chosen(here, there, lose)
        for here, there in ((one, other), (other, one)):
            if "anyOf" in here:
                return self._spread(here, there, lose)
        return self._typed(one, other, lose)

    def _spread(self, choice: Node, beside: Node, lose: Lose) -> Node | bool:
        """What stands beside alternatives, in each of them."""
        if "anyOf" in beside or len(choice["anyOf"]) > BRANCHES:
            lose("anyOf")
            return choice if "anyOf" in beside else beside
        branches = [self.both(beside, branch, lose) for branch in choice["anyOf"]]
        return anyof([branch for branch in branches if branch is not False])

    def _typed(self, one: Node, other: Node, lose: Lose) -> Node | bool:
        kinds = _common(types(one), types(other)) if "type" in one and "type" in other else None
        if kinds == []:
            return False
        node = {**other, **one}
        if kinds:
            node["type"] = kinds[0] if len(kinds) == 1 else kinds
        for words, bound in ((LEAST + LOWEST, max), (MOST + HIGHEST, min)):
            node |= {word: bound(one[word], other[word]) for word in words if word in one and word in other}
        for word in ("pattern", "format", "propertyNames"):
            if word in one and word in other and one[word] != other[word]:
                lose(word)
        if "required" in one and "required" in other:
            node["required"] = list(dict.fromkeys((*one["required"], *other["required"])))
        self._arrays(node, one, other, lose)
        self._objects(node, one, other, lose)
        return node

    def _arrays(self, node: Node, one: Node, other: Node, lose: Lose) -> None:
        length = max(len(side.get("prefixItems", ())) for side in (one, other))
        first = [self.both(_item(one, index), _item(other, index), lose) for index in range(length)]
        if False in first:  # so far, and no further
            node["maxItems"] = min(node.get("maxItems", length), first.index(False))
            first = first[: first.index(False)]
        if length:
            node["prefixItems"] = first
        if "items" in one and "items" in other:
            node["items"] = self.both(one["items"], other["items"], lose)

    def _objects(self, node: Node, one: Node, other: Node, lose: Lose) -> None:
        keyed = [side for side in (one, other) if "patternProperties" in side]
        extras = [None if side in keyed else side.get("additionalProperties") for side in (one, other)]
        if keyed:
            lose("patternProperties")
            node.pop("patternProperties", None)
        if "properties" in one or "properties" in other:
            node["properties"] = dict(self._properties(one, other, extras, lose))
        said = [extra for extra in extras if extra is not None]
        node.pop("additionalProperties", None)
        if said:
            node["additionalProperties"] = self.both(said[0], said[-1], lose)

    def _properties(
        self, one: Node, other: Node, extras: "list[Any]", lose: Lose
    ) -> "Iterator[tuple[str, Node | bool]]":
        """In the order of the one, then what the other adds; those that must not be there are not."""
        sides = (one.get("properties", {}), extras[0]), (other.get("properties", {}), extras[1])
        for name in dict.fromkeys((*sides[0][0], *sides[1][0])):
            wanted = [known.get(name, {} if extra is None else extra) for known, extra in sides]
            node = self.both(wanted[0], wanted[1], lose)
            if node is not False:
                yield name, node


def anyof(branches: "list[Node | bool]") -> Node | bool:
    """These as alternatives, alternatives of alternatives among them."""
    flat = [one for branch in branches for one in _alternatives(branch)]
    unique = list({json.dumps(branch): branch for branch in flat}.values())
    if not unique:
        return False
    if {} in unique or True in unique:
        return {}
    return {"anyOf": unique} if len(unique) > 1 else unique[0]


def _alternatives(branch: Node | bool) -> "list[Node | bool]":
    return branch["anyOf"] if isinstance(branch, dict) and "anyOf" in branch else [branch]


def _item(node: Node, index: int) -> Node | bool:
    first = node.get("prefixItems", [])
    found: Node | bool = first[index] if index < len(first) else node.get("items", {})
    return found


def _values(node: Node) -> "list[Any] | None":
    return [node["const"]] if "const" in node else node.get("enum")


def _chosen(node: Node, beside: Node, lose: Lose) -> Node | bool:
    """The values that are of the type beside them, or among the values."""
    values, others = _values(node) or [], _values(beside)
    if others is not None:
        left = [value for value in values if _alike(value, others)]
    else:
        left = [value for value in values if "type" not in beside or _is(value, types(beside))]
        if beside.keys() - {"type", "title", "description"}:
            lose("anyOf" if "anyOf" in beside else min(beside.keys() - {"type", "title", "description"}))
    if not left:
        return False
    return {"const": left[0]} if len(left) == 1 else {"enum": left}


def _alike(value: Any, others: "list[Any]") -> bool:
    """Whether one of these may be equal as JSON Schema has it: 1 is 1.0; in Python 1 is True as well."""
    return any(value == other for other in others)


def _is(value: Any, kinds: frozenset[str]) -> bool:
    match value:
        case bool():
            return "boolean" in kinds
        case int() | float():
            return "number" in kinds or ("integer" in kinds and (isinstance(value, int) or value.is_integer()))
    named = {str: "string", type(None): "null", list: "array", dict: "object"}
    return named[type(value)] in kinds


def _common(one: frozenset[str], other: frozenset[str]) -> "list[str]":
    both = one & other
    if "integer" in one ^ other and "number" in one | other:
        both |= {"integer"} if "number" not in both else frozenset()
    return sorted(both)
