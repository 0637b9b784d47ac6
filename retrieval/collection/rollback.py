"""Back to the version before, by one rename."""

from pathlib import Path

from retrieval.collection import files, layout, manifest
from retrieval.collection.errors import NoCollection, corruption
from retrieval.collection.manifest import Manifest


def rollback(path: Path) -> Manifest:
    """Make the version before the current one, once it was checked; the one left is kept, so that a second rollback
    undoes the first. Readers see the one or the other.

    Raises NoCollection when there is none before, CorruptCollection when that is damaged; OSError.
    """
    if not path.is_dir():
        raise NoCollection(path.name, "does not exist")
    with layout.exclusive(path):
        before = layout.others(path)
        if not before:
            raise NoCollection(path.name, "has no version before this one")
        version = before[0]
        with corruption(path.name, version):
            described = manifest.read(path / version)
            for name, digest in described.files.items():
                files.check(path / version / name, digest)
        layout.point(path, [version, *(other for other in layout.present(path) if other != version)])
        return described
