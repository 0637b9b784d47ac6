"""The last version that is whole, for when the current one is not."""

from dataclasses import dataclass
from pathlib import Path

from retrieval.collection import layout
from retrieval.collection.collection import Collection
from retrieval.collection.errors import CorruptCollection


@dataclass(frozen=True, slots=True)
class LastGood:
    """A collection that can serve, and `passed_over`: what is wrong with the newer versions, newest first."""

    collection: Collection
    passed_over: tuple[CorruptCollection, ...] = ()


def load_last_good(path: Path, embedder_identity: str) -> LastGood:
    """The current version, or else the newest before it that is whole. Raises as `Collection.load` when there is none.

    It changes nothing on disk: the damaged version stays the current one until a build or a `rollback`. A version of
    another embedder is not passed over: that is a matter of settings, and raises WrongEmbedder.
    """
    passed_over: list[CorruptCollection] = []
    try:
        return LastGood(Collection.load(path, embedder_identity))
    except CorruptCollection as error:
        passed_over.append(error)
    for version in layout.others(path):
        try:
            return LastGood(Collection.open(path, version, embedder_identity), tuple(passed_over))
        except CorruptCollection as error:
            passed_over.append(error)
    raise passed_over[0]
