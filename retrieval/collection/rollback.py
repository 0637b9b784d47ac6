"""Back to the version before, by one rename."""

from pathlib import Path

from retrieval.collection.manifest import Manifest


def rollback(path: Path) -> Manifest:
    """Make the version before the current one, once it was checked; the one left is kept, so that a second rollback
    undoes the first. Readers see the one or the other.

    Raises NoCollection when there is none before, CorruptCollection when that is damaged.
    """
    raise NotImplementedError
