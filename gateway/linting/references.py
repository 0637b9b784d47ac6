"""What references in a schema name, in any of the ways that a dialect knows and the engine does not. Reads no document
but the schema itself.

Invariant: what is returned is what a validator would follow; where that is doubtful (an embedded `$id` gives the
references below it another base, a name occurs twice), nothing is.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from gateway.linting.places import Place, Schema


class References:
    """Of one document."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._base = str(root.get("$id") or root.get("id") or "").removesuffix("#")
        self._anchors: dict[str, Place | None] = {}
        self._apart: list[str] = []  # where an embedded `$id` begins another resource
        for place in _objects(Place("", root)):
            self._read(place)

    def target(self, reference: Any, pointer: str) -> Place | None:
        """What a reference that stands at this JSON Pointer names; None where that is not known for certain."""
        if not isinstance(reference, str) or self._within_another(pointer):
            return None
        document, _, fragment = reference.partition("#")
        if document and document != self._base:
            return None
        fragment = unquote(fragment)
        found = self._pointed(fragment) if fragment[:1] in ("", "/") else self._anchors.get(fragment)
        return None if found is None or self._within_another(found.pointer) else found

    def _read(self, place: Place) -> None:
        identity = place.schema.get("$id", place.schema.get("id"))
        if place.pointer and isinstance(identity, str) and not identity.startswith("#"):
            self._apart.append(place.pointer)
        anchors = [place.schema.get("$anchor"), place.schema.get("$dynamicAnchor")]
        anchors += [identity[1:]] if isinstance(identity, str) and identity.startswith("#") else []
        for name in anchors:
            if isinstance(name, str):
                self._anchors[name] = None if name in self._anchors else place

    def _within_another(self, pointer: str) -> bool:
        return any(pointer == apart or pointer.startswith(f"{apart}/") for apart in self._apart)

    def _pointed(self, pointer: str) -> Place | None:
        """RFC 6901, section 4."""
        place = Place("", self._root)
        for part in pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(place.schema, Mapping) and key in place.schema:
                place = place.at(key)
            elif isinstance(place.schema, list) and key.isdecimal() and int(key) < len(place.schema):
                place = place.at(int(key))
            else:
                return None
        return place if isinstance(place.schema, (Mapping, bool)) else None


def _objects(root: Place) -> Iterator[Place]:
    """Every object in the document, whatever it is there for."""
    waiting = [root]
    while waiting:
        place = waiting.pop()
        if isinstance(place.schema, Mapping):
            yield place
        keys = range(len(place.schema)) if isinstance(place.schema, list) else list(place.schema)
        waiting += [inner for key in keys if isinstance((inner := place.at(key)).schema, (Mapping, list))]
