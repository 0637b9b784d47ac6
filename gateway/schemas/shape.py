"""How much work a schema can be, read from its shape: what is provably little is done on the spot.

    subschemas   that it reaches, references followed
    comparisons  how many of them one value, at one place of an answer, may meet: alternatives multiply, properties do
                 not, because each has a place of its own
    patterns     the states that the automata of its patterns may need, all together
    open         no such bound is known: its recursion branches (two ways lead back for the same value, so the work
                 doubles with each level), a reference is not followed here (`$dynamicRef`, an embedded `$id`), or the
                 answer itself is a pattern to be compiled (format `regex`)

Measured with jsonschema-rs 0.60: 15 to 20 us to compile a subschema, some 20 ns a comparison.
"""

import re
from collections import Counter
from collections.abc import Mapping
from math import prod
from typing import Any
from urllib.parse import unquote

from gateway.schemas.keywords import APART, Schema, patterns, within
from serving.frozen import dataclass

_COUNTED = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_NESTED = re.compile(r"[)}+*?]\{")  # something repeated is repeated: the counts multiply
_CLASS = 500  # states of a Unicode class like \p{L}, about


@dataclass(frozen=True, slots=True)
class Shape:
    """See above."""

    subschemas: int
    patterns: int
    comparisons: int
    open: bool


def shape(schema: Schema) -> Shape:
    """The shape of a schema within `limits`."""
    graph = _Graph(schema)
    met = graph.comparisons()
    states = sum(_states(pattern) for one in graph.nodes.values() for pattern in patterns(one))
    return Shape(len(graph.nodes), states, met, graph.open)


class _Graph:
    """The schemas that are reached, and which keyword of which leads to which."""

    def __init__(self, root: Schema) -> None:
        self.nodes: dict[int, Schema] = {id(root): root}
        self.edges: dict[int, list[tuple[str, int]]] = {}
        self.open = False
        self._root = root
        waiting = [root]
        while waiting:
            schema = waiting.pop()
            found = [*within(schema), *self._referred(schema)]
            self.edges[id(schema)] = [(keyword, id(one)) for keyword, one in found]
            for _, one in found:
                if id(one) not in self.nodes:
                    self.nodes[id(one)] = one
                    waiting.append(one)

    def comparisons(self) -> int:
        """Of the root. From the leaves up; what is left then leads back to itself, and each of it is met once a place,
        unless it branches."""
        left = {node: len(edges) for node, edges in self.edges.items()}
        above: dict[int, list[int]] = {node: [] for node in self.nodes}
        for node, edges in self.edges.items():
            for _, one in edges:
                above[one].append(node)
        known: dict[int, int] = {}
        ready = [node for node, number in left.items() if number == 0]
        while ready:
            node = ready.pop()
            known[node] = self._met(node, known)
            for one in above[node]:
                left[one] -= 1
                if left[one] == 0:
                    ready.append(one)
        recursive = self.nodes.keys() - known.keys()
        self.open = self.open or any(self._branches(node, recursive) for node in recursive)
        return known[id(self._root)] if not recursive else sum(self._met(node, known) for node in recursive)

    def _met(self, node: int, known: Mapping[int, int]) -> int:
        shared = sum(known.get(one, 0) for keyword, one in self.edges[node] if keyword not in APART)
        apart = max((known.get(one, 0) for keyword, one in self.edges[node] if keyword in APART), default=0)
        return _own(self.nodes[node]) + shared + apart

    def _branches(self, node: int, recursive: "set[int]") -> bool:
        """Whether a value can come back to what is recursive in two ways."""
        ways = Counter(
            "apart" if keyword in APART else "shared" for keyword, one in self.edges[node] if one in recursive
        )
        return ways["shared"] + bool(ways["apart"]) > 1

    def _referred(self, schema: Schema) -> list[tuple[str, Schema]]:
        embedded = "$id" in schema and schema is not self._root
        if "$dynamicRef" in schema or "$recursiveRef" in schema or embedded or schema.get("format") == "regex":
            self.open = True
        if "$ref" not in schema:
            return []
        target = _target(self._root, schema["$ref"])
        self.open = self.open or target is None
        return [("$ref", target)] if isinstance(target, Mapping) else []


def _target(root: Schema, reference: Any) -> Any:
    """What a JSON Pointer into this document points at (RFC 6901, section 6); None for every other reference."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    node: Any = root
    for part in unquote(reference[1:]).split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            return None
    return node


def _own(schema: Schema) -> int:
    listed = schema.get("enum")
    return 1 + (len(listed) // 8 if isinstance(listed, list) else 0)


def _states(pattern: str) -> int:
    """Of the automaton of this pattern, at most, roughly: its length, each counted repetition written out."""
    counts = [int(most or least) for least, most in _COUNTED.findall(pattern)]
    repeated = prod(counts) if _NESTED.search(pattern) else max(sum(counts), 1)
    return (len(pattern) + _CLASS * pattern.count("\\p")) * max(repeated, 1)
