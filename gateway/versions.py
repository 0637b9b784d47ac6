"""Where a collection's versions come from: its folder on this machine, or an engine that it was published to.

Knows neither requests nor what is served. Calls block.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gateway.settings import Retrieve, secret
from retrieval.collection import Collection, load_last_good
from retrieval.collection.layout import current
from retrieval.engines import connected
from retrieval.protocols import Index

if TYPE_CHECKING:
    from retrieval.engines.engine import Engine


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version that can be searched, and `passed_over`: what is wrong with a newer one."""

    index: Index
    passed_over: str | None = None


class Versions(Protocol):
    """Of one collection. An engine's raise IndexUnavailable when it does not answer."""

    def named(self) -> str | None:
        """The version that is to be served now; None where none is named."""

    def newest(self, embedder_identity: str) -> Loaded:
        """That version. Raises CollectionError."""

    def good(self, embedder_identity: str) -> Loaded:
        """That version or, for who has nothing to serve, an older one that is whole. Raises CollectionError."""

    def close(self) -> None:
        """They are not asked again."""


class InFolder:
    """Of a local collection."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def named(self) -> str | None:
        try:
            return current(self._path)
        except (OSError, ValueError):
            return None

    def newest(self, embedder_identity: str) -> Loaded:
        return Loaded(Collection.load(self._path, embedder_identity))

    def good(self, embedder_identity: str) -> Loaded:
        found = load_last_good(self._path, embedder_identity)
        return Loaded(found.collection, next(map(str, found.passed_over), None))

    def close(self) -> None:
        """It holds nothing."""


class Published:
    """Of a collection in an engine, by its name there. A published version is whole: there is none to fall back to."""

    def __init__(self, name: str, engine: "Engine") -> None:
        self._name, self._engine = name, engine

    def named(self) -> str | None:
        return self._engine.version(self._name)

    def newest(self, embedder_identity: str) -> Loaded:
        return Loaded(self._engine.load(self._name, embedder_identity))

    good = newest

    def close(self) -> None:
        self._engine.close()


def versions(name: str, section: Retrieve) -> Versions:
    """As the settings say. Raises SettingsError for a missing secret, IndexUnavailable for a missing client."""
    if section.engine is None:
        return InFolder(section.path)
    return Published(name, connected(section.engine, secret(section.engine_key_env)))
