"""A schema as the engine can be guided by it: the whole of it where the engine reads the whole, else a copy without
what it refuses or passes over. Answers are held to the schema itself in any case; see `gateway.schemas`.

Invariants: whatever satisfies a schema satisfies its relaxed one; the engine takes it, within what a schema may cost
(`breaking`); properties keep their order. Never raises for what is no schema. Pure.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gateway.linting import disjoint
from gateway.linting.breaking import breaking
from gateway.linting.fitting import fitted
from gateway.linting.ignored import ignored
from gateway.linting.merging import Merging, anyof
from gateway.linting.own import asserted, own
from gateway.linting.places import Place, Schema, listed
from gateway.linting.references import References
from gateway.linting.refused import prechecked, refused
from gateway.linting.spending import spend
from serving.frozen import dataclass

Node = dict[str, Any]
KEPT = 256  # as many as are kept compiled (gateway.schemas)
NODES = 5_000  # subschemas that are looked at for one schema: what allOf merges may multiply
BYTES = 64 * 1024  # of what is sent: the most that may be asked for (gateway.schemas.limits)
SHOWN = 64  # of what was dropped
ROUNDS = 8  # looks at what the engine would still refuse
DRAFTS = {"draft-04": 4, "draft-06": 6, "draft-07": 7, "2019-09": 2019}


@dataclass(frozen=True, slots=True)
class Relaxed:
    """`schema` is what the engine is given; `dropped` are JSON Pointers and keywords of the original that the engine
    does not hold answers to, or only in part: at most SHOWN, in their order."""

    schema: Mapping[str, Any]
    dropped: tuple[tuple[str, str], ...] = ()

    @property
    def keywords(self) -> tuple[str, ...]:
        """The keywords of `dropped`, each once: the schema's own names are not among them."""
        return tuple(sorted({keyword for _, keyword in self.dropped}))


def relaxed(schema: Schema) -> Relaxed:
    """What the engine is to be guided by. The schema itself, unchanged, where there is nothing to drop."""
    return _kept(json.dumps(schema))


@lru_cache(KEPT)
def _kept(text: str) -> Relaxed:
    schema = json.loads(text)
    if next(refused(schema), None) is None and breaking(schema) is None and next(ignored(schema), None) is None:
        return Relaxed(schema)
    for merges in (True, False):
        found = _Relaxing(schema, merges)
        try:
            sent = found.made()
        except _TooMuch:
            continue
        if len(json.dumps(sent)) <= BYTES:
            return Relaxed(sent, tuple(found.dropped)[:SHOWN])
    return Relaxed({}, (("", "$schema"),))


class _TooMuch(Exception):
    """More subschemas than are looked at."""


class _Relaxing:
    def __init__(self, root: Schema, merges: bool) -> None:
        self._root, self._merges = root, merges
        self._draft = next((year for name, year in DRAFTS.items() if name in str(root.get("$schema"))), 2020)
        self._references = References(root)
        self._merging = Merging(self._written_out)
        self._left = NODES
        self._names: dict[str, str] = {}  # of definitions, by the pointer of what they define
        self._places: dict[str, Place] = {}  # and these by their names
        self._open: list[str] = []  # pointers that are being written out
        self.dropped: dict[tuple[str, str], None] = {}

    def made(self) -> Node:
        """The relaxed schema. Raises _TooMuch."""
        top = self._node(Place("", self._root))
        root: Node = top if isinstance(top, dict) else {}
        defined: dict[str, Node | bool] = {}
        while missing := [name for name in _named(root, defined) if name not in defined]:
            for name in missing:
                node = self._node(self._places[name])
                defined[name] = node if isinstance(node, dict) else {}
        if defined:
            root = {**root, "$defs": defined}
        spend(root, self._lose)
        return root if any(not self._cut(root) for _ in range(ROUNDS)) else {}

    def _cut(self, root: Node) -> bool:
        """Whether the engine would still refuse something, which is then gone."""
        errors = list(refused(root))
        for note in errors:
            self._lose(note.pointer, note.keyword)
            _emptied(root, note.pointer)
        return bool(errors)

    def _lose(self, pointer: str, keyword: str) -> None:
        self.dropped[pointer, keyword] = None

    def _node(self, place: Place) -> Node | bool:
        """One subschema, of one of the kinds that `merging` knows."""
        self._left -= 1
        if self._left < 0:
            raise _TooMuch
        if not isinstance(place.schema, Mapping):
            return {} if place.schema is not False else False
        schema: dict[str, Any] = dict(place.schema)

        def lose(word: str) -> None:
            self._lose(place.pointer, word)

        for word in asserted(schema):
            lose(word)
        node: Node | bool = {}
        for part in self._parts(place, schema):
            node = self._both(node, part, lose)
        if isinstance(node, dict) and not node.keys() & {"$ref", "const", "enum", "anyOf"}:
            node = fitted(dict(node), lose)
        if isinstance(node, dict):
            told = {word: schema[word] for word in ("title", "description") if isinstance(schema.get(word), str)}
            return {**told, **node}
        return node

    def _both(self, one: Node | bool, other: Node | bool, lose: Any) -> Node | bool:
        if self._merges or one == {} or other == {}:
            return self._merging.both(one, other, lose)
        lose("allOf")
        return one

    def _parts(self, place: Place, schema: dict[str, Any]) -> "list[Node | bool]":
        """What must all hold."""
        if "$ref" in schema and self._draft <= 7:  # what stands beside it counts for nothing
            return [self._reference(place, schema["$ref"])]
        parts = [own(place, self._draft, self._node, lambda word: self._lose(place.pointer, word))]
        if "$ref" in schema:
            parts.append(self._reference(place, schema["$ref"]))
        parts += self._values(place, schema)
        parts += [self._node(place.at("allOf", index)) for index in range(len(listed(schema, "allOf")))]
        for word in ("anyOf", "oneOf"):
            branches = listed(schema, word)
            if branches:
                parts.append(anyof([self._node(place.at(word, index)) for index in range(len(branches))]))
            if word == "oneOf" and branches and not disjoint.all_of(self._root, branches):
                self._lose(place.pointer, word)
        return parts

    def _values(self, place: Place, schema: dict[str, Any]) -> "list[Node | bool]":
        found: list[Node | bool] = []
        if "const" in schema and self._draft >= 6:
            found.append({"const": schema["const"]})
        if isinstance(schema.get("enum"), list):
            found.append({"enum": schema["enum"]} if schema["enum"] else False)
        for part in [part for part in found if isinstance(part, dict)]:
            if next(prechecked(Place("", part)), None):  # vLLM takes what looks like a schema for one
                found.remove(part)
                self._lose(place.pointer, "enum" if "enum" in part else "const")
        return found

    def _reference(self, place: Place, reference: Any) -> Node | bool:
        """A reference to a definition; chains of them are followed to their end."""
        seen = set[str]()
        target = self._references.target(reference, place.pointer)
        while target is not None and isinstance(target.schema, Mapping) and set(target.schema) == {"$ref"}:
            if target.pointer in seen:
                target = None
                break
            seen.add(target.pointer)
            target = self._references.target(target.schema["$ref"], target.pointer)
        if target is None:
            self._lose(place.pointer, "$ref")
            return {}
        if isinstance(target.schema, bool):
            return {} if target.schema else False
        return {"$ref": f"#/$defs/{self._name(target)}"}

    def _name(self, target: Place) -> str:
        if target.pointer not in self._names:
            last = target.pointer.rpartition("/")[2] or "root"
            plain = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in last)
            plain = f"d{plain}" if plain[:1].isdigit() else plain
            while plain in self._places:
                plain += "_"
            self._names[target.pointer], self._places[plain] = plain, target
        return self._names[target.pointer]

    def _written_out(self, node: Node) -> Node | bool | None:
        place = self._places[node["$ref"].rpartition("/")[2]]
        if place.pointer in self._open:
            return None
        self._open.append(place.pointer)
        try:
            return self._node(place)
        finally:
            self._open.pop()


def _named(root: Node, defined: "dict[str, Any]") -> "list[str]":
    """The definitions that are referred to, from what refers to them."""
    found: dict[str, None] = {}
    waiting: list[Any] = [root, *defined.values()]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                found[reference.rpartition("/")[2]] = None
            waiting += [value for word, value in node.items() if word not in ("const", "enum")]
        elif isinstance(node, list):
            waiting += node
    return list(found)


def _emptied(root: Node, pointer: str) -> None:
    """Let anything stand there."""
    *above, last = ["", *(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])]
    if not above:
        root.clear()
        return
    node: Any = root
    for part in above[1:]:
        node = node[int(part)] if isinstance(node, list) else node.get(part, {})
    if isinstance(node, list) and int(last) < len(node):
        node[int(last)] = {}
    elif isinstance(node, dict) and last in node:
        node[last] = {}
