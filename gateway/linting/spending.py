"""A schema that the engine takes, kept within what it may cost (`breaking`): what is beyond is left to the check.

In the order of the schema, so that what stands first is kept. Never fewer values than before.
"""

from collections.abc import Callable
from typing import Any

from gateway.linting.bounds import HIGHEST, LOWEST
from gateway.linting.breaking import BOUNDED, EFFORT, OPTIONAL, effort, is_bounded, optional
from gateway.linting.places import names, reached

Node = dict[str, Any]


def spend(root: Node, lose: Callable[[str, str], None]) -> None:
    """Changes `root`; `lose` is told the pointer (in `root`) and the keyword of what was left out."""
    found = [place for place in reached(root) if isinstance(place.schema, dict)]
    _patterns([(place.pointer, place.schema) for place in found], lose)
    _bounds([(place.pointer, place.schema) for place in found if is_bounded(place.schema)][BOUNDED:], lose)
    _properties([(place.pointer, place.schema) for place in found], lose)


def _patterns(found: "list[tuple[str, Node]]", lose: Callable[[str, str], None]) -> None:
    spent = 0
    for pointer, node in found:
        if spent + (needed := effort(node)) <= EFFORT:
            spent += needed
            continue
        if node.pop("patternProperties", None) is not None:
            node.pop("additionalProperties", None)
            lose(pointer, "patternProperties")
        if node.pop("pattern", None) is not None:
            lose(pointer, "pattern")


def _bounds(beyond: "list[tuple[str, Node]]", lose: Callable[[str, str], None]) -> None:
    for pointer, node in beyond:
        for word in (*LOWEST, *HIGHEST):
            if node.pop(word, None) is not None:
                lose(pointer, word)


def _properties(found: "list[tuple[str, Node]]", lose: Callable[[str, str], None]) -> None:
    """The largest objects keep of the properties that may be left out none: what remains of them is any name."""
    largest = sorted(found, key=lambda one: optional(one[1]))
    total = sum(optional(node) ** 2 for _, node in found)
    while total > OPTIONAL**2:
        pointer, node = largest.pop()
        total -= optional(node) ** 2
        kept = set(names(node))
        node["properties"] = {name: inner for name, inner in node["properties"].items() if name in kept}
        node["additionalProperties"] = {}
        lose(pointer, "properties")
