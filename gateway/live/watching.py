"""When to look at the prompts: a folder when something in it has moved, a repository now and then. Reads no prompt.

A look at a folder is a `stat` of each file and of the repository's references, some 2 microseconds each. Files are
written one after the other, so what has moved is only read once it is still. A file system's clock is coarse: two
changes within a tick look like one, so what moved just now is read again.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pygit2

from gateway.settings import Build

LOOK_S = 0.25  # it is still after two looks, so that a change is taken up within a second
COARSE_NS = 100_000_000  # ticks of file systems are 10 ms at most, but for FAT's; ten of them

_Stamp = tuple[tuple[str, int, int], ...]  # path, time of its change in ns, size


class Watch:
    """Of one source. `moved()` is asked every LOOK_S."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._fetched = time.monotonic()
        self._seen: _Stamp = ()
        self._taken: _Stamp = ()  # nothing yet: what changed between the start's reading and this is read, too

    def moved(self) -> bool:
        """Whether it is time to read the prompts. Blocks for the time of a look."""
        if self._build.repository is not None:
            return self._due()
        before, self._seen = self._seen, self._stamp()
        if self._seen == self._taken or self._seen != before:
            return False
        if not _recent(self._seen):
            self._taken = self._seen
        return True

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._fetched < self._build.fetch_s:
            return False
        self._fetched = now
        return True

    def _stamp(self) -> _Stamp:
        return () if self._build.repository is not None else tuple(sorted(_stats(self._build.prompts)))


def _recent(stamp: _Stamp) -> bool:
    now = time.time_ns()
    return any(now - COARSE_NS < changed <= now for _, changed, _ in stamp)


def _stats(folder: Path) -> Iterator[tuple[str, int, int]]:
    for place in (folder / "templates", folder / "partials"):
        yield from _below(place)
    if git := pygit2.discover_repository(str(folder.resolve())):
        yield from _references(Path(git))


def _references(git: Path) -> Iterator[tuple[str, int, int]]:
    common = git / "commondir"  # of a linked work tree
    shared = (git / common.read_text().strip()) if common.is_file() else git
    for name in (git / "HEAD", shared / "packed-refs"):
        yield from _stat(name)
    yield from _below(shared / "refs")


def _below(folder: Path) -> Iterator[tuple[str, int, int]]:
    for place, _, files in os.walk(folder):
        for name in files:
            yield from _stat(Path(place, name))


def _stat(file: Path) -> Iterator[tuple[str, int, int]]:
    try:
        found = file.stat()
    except OSError:  # gone, or not to be read: its template's fault is told when it is read
        return
    yield str(file), found.st_mtime_ns, found.st_size
