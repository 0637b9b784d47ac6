"""A collection's folder: where versions lie, which one is current, and how another becomes it.

    folder/CURRENT      a line for each version that is kept: the one that is served, then those before it
    folder/LOCK         held by who writes
    folder/<version>/   the files of a version, which never change
    folder/.draft/      what is being written; folder/.interrupted/ what a writer left that did not come to its end

Knows names and renames, not what the files mean.

Invariants: a reader sees the old version or the new one: files and their names are on disk first, then CURRENT is
replaced by one rename. Nothing but versions and drafts is ever deleted: the folder could hold other things too.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

CURRENT: Final = "CURRENT"
LOCK: Final = "LOCK"
MANIFEST: Final = "manifest.json"
DRAFT: Final = ".draft"
INTERRUPTED: Final = ".interrupted"
VERSION: Final = re.compile(r"[0-9a-f]{16}")


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder for writing; a second writer, in whatever process, waits. Readers are not affected."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released by the kernel, however the process ends
        yield


def current(folder: Path) -> str:
    """The version that is served. Raises OSError; ValueError when CURRENT was altered."""
    return _named(folder)[0]


def others(folder: Path) -> list[str]:
    """The versions to fall back on, best first: those that CURRENT names after the current one; or all in the folder,
    the one written last first, where CURRENT was altered."""
    with suppress(OSError, ValueError):
        first, *older = _named(folder)
        if (folder / first).is_dir():
            return older
    return present(folder)


def present(folder: Path) -> list[str]:
    """The versions that lie in the folder, whole or not, the one written last first."""
    written: dict[str, int] = {}
    for path in folder.glob("*"):
        if VERSION.fullmatch(path.name):
            with suppress(FileNotFoundError):  # a writer deletes old ones at any time
                written[path.name] = path.stat().st_mtime_ns
    return sorted(filter(lambda version: (folder / version).is_dir(), written), key=written.__getitem__, reverse=True)


def _named(folder: Path) -> list[str]:
    lines = (folder / CURRENT).read_text("utf-8", "replace").split()
    if not lines or not all(map(VERSION.fullmatch, lines)):
        raise ValueError(f"{CURRENT} was altered")
    return lines


def place(draft: Path, version: Path) -> None:
    """Turn a draft into a version, once its files and their names are on disk."""
    for path in sorted(draft.rglob("*")):
        flush(path)
    flush(draft)
    shutil.rmtree(version, ignore_errors=True)  # there is one only if it was placed before and never named
    draft.rename(version)


def point(folder: Path, versions: Sequence[str]) -> None:
    """Make the first of `versions` the current one, and keep the others in that order."""
    draft = folder / f".{CURRENT}"
    draft.write_text("\n".join(versions) + "\n")
    flush(draft)
    flush(folder)  # the version's own name, before it is pointed at
    draft.replace(folder / CURRENT)
    flush(folder)


def prune(folder: Path, keep: Sequence[str]) -> None:
    """Delete all other versions, and what interrupted writers left. Who has read one keeps its files open."""
    for version in set(present(folder)) - set(keep):
        shutil.rmtree(folder / version, ignore_errors=True)
    for name in (DRAFT, INTERRUPTED):
        shutil.rmtree(folder / name, ignore_errors=True)


def flush(path: Path) -> None:
    """Put a file, or the names in a folder, on disk: it outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
