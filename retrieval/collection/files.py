"""The files of a version: checked byte by byte before anything in them is interpreted, and carried to the next version.

Invariants: small files are copied, for each reader and each version, and hashed on the way: what is served is what was
checked, whatever happens to the folder later, and a fault of the disk in one version leaves the other whole. Large ones
are mapped where they lie, and linked. A file of a version is never written to.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from retrieval.collection import digests

# Bytes. Below it a copy costs milliseconds; above it are only the vectors, texts and words of some 10,000 passages or
# more, with which copies would fill disk and memory.
LARGE: Final = 16 << 20


class Altered(ValueError):
    """Raised when a file is not the one that was written."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name} was altered after it was written ({path.stat().st_size:,} bytes)")


@contextmanager
def opened(version: Path, files: Mapping[str, str]) -> Iterator[Path]:
    """A folder with the files of a version, by name with their digests, for as long as they take to be opened.

    Raises OSError; Altered for the first file that is.
    """
    with TemporaryDirectory(prefix="collection-", ignore_cleanup_errors=True) as own:
        for name, digest in files.items():
            target = Path(own) / name
            target.parent.mkdir(exist_ok=True)
            if _large(version / name):
                check(version / name, digest)
                target.symlink_to((version / name).resolve())
            else:
                copy(version / name, target, digest)
        yield Path(own)


def carry(version: Path, draft: Path, files: Mapping[str, str]) -> None:
    """Take files of a version into a draft, to be left as they are. Raises OSError; Altered, for what is copied."""
    for name, digest in files.items():
        (draft / name).parent.mkdir(exist_ok=True)
        if not (_large(version / name) and _linked(version / name, draft / name)):
            copy(version / name, draft / name, digest)


def digested(draft: Path, version: Path, known: Mapping[str, str]) -> dict[str, str]:
    """The digest of every file of a draft, by name; of a link to a file of the version before, as it was there."""
    names = sorted(path.relative_to(draft).as_posix() for path in draft.rglob("*") if path.is_file())
    return {name: _digest(draft / name, version / name, known.get(name)) for name in names}


def copy(source: Path, target: Path, digest: str) -> None:
    """Raises OSError; Altered when the file does not have this digest."""
    if digests.copy(source, target) != digest:
        raise Altered(source)


def check(path: Path, digest: str) -> None:
    """Raises OSError; Altered when the file does not have this digest."""
    if digests.of_file(path) != digest:
        raise Altered(path)


def _large(path: Path) -> bool:
    return path.stat().st_size >= LARGE


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:  # the file system has no links, or no more of this file
        return False
    return True


def _digest(path: Path, before: Path, known: str | None) -> str:
    return known if known and path.samefile(before) else digests.of_file(path)
