"""Where the files of a library come from: a folder as it lies on disk, or a branch of a repository (`prompts.remote`).

Does not know templates. Invariants: what a source has read does not change under who holds it, and a tag that was read
once keeps its commit for as long as the process, or the mirror of a remote, remembers it.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pygit2

from prompts.errors import Fault, LibraryError
from prompts.files import PARTIALS, SUFFIX, TEMPLATES, is_beside
from prompts.history import History, References, references

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a source had at one moment.

    `files` are those of the latest version by path, `faults` those that cannot be read. `notes` say what was kept
    although the source has it no more.
    """

    files: Mapping[str, bytes]
    history: History | None
    notes: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()


class Source(Protocol):
    """Each call may come from another thread, one at a time."""

    def read(self, before: Snapshot | None) -> Snapshot:
        """What is there now; `before` itself when nothing has changed.

        Raises LibraryError when it cannot be read, or when what it has now does not follow from what was before.
        """

    def keep(self, snapshot: Snapshot) -> None:
        """Remember a snapshot whose templates are good. A no-op where a source has no memory of its own."""

    def kept(self) -> Snapshot | None:
        """What was remembered last; None for nothing. Raises LibraryError."""


class Folder:
    """The files below a folder, with the history of the repository around it, if there is one."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, before: Snapshot | None) -> Snapshot:
        files, faults = _read_all(self._root)
        history, notes = self._history(before.history if before else None)
        found = Snapshot(files, history, notes, faults)
        return before if before == found else found

    def keep(self, snapshot: Snapshot) -> None:
        """The folder is its own memory."""

    def kept(self) -> Snapshot | None:
        return None

    def _history(self, before: History | None) -> tuple[History | None, tuple[Fault, ...]]:
        """The history, or that before with a note: a folder that git refuses, such as one of another owner, or whose
        commits are damaged, has no new versions."""
        try:
            if (found := _open(self._root)) is None:
                return before, ()
            now = references(found[0])
            pinned, notes = pin(before.references, now) if before else (now, ())
            if before and before.references == pinned:
                return before, notes
            return History(*found, pinned, before), notes
        except (KeyError, pygit2.GitError, LibraryError) as error:
            _log.warning("no new versions of prompts: git refuses to read their repository: %s", error)
            return before, (Fault(str(self._root), 0, f"git refuses to read its repository: {error}"),)


def pin(before: References, now: References) -> tuple[References, tuple[Fault, ...]]:
    """The references of now with every tag of before where it was, and a note for each that is elsewhere or gone."""
    notes = tuple(
        Fault(f"refs/tags/{tag}", 0, f"{_what(now.tags.get(tag))}; it still names {commit[:12]} here: make a new tag")
        for tag, commit in sorted(before.tags.items())
        if now.tags.get(tag) != commit
    )
    return References(now.head, {**now.tags, **before.tags}), notes


def _what(commit: str | None) -> str:
    return f"was moved to {commit[:12]}" if commit else "was deleted"


def _open(folder: Path) -> tuple[pygit2.Repository, str] | None:
    """The repository around a folder, and the folder within it."""
    place = folder.resolve()
    found = pygit2.discover_repository(str(place))
    repository = pygit2.Repository(found) if found else None
    if repository is None or repository.workdir is None:
        return None
    return repository, place.relative_to(Path(repository.workdir).resolve()).as_posix()


def _read_all(root: Path) -> tuple[dict[str, bytes], tuple[Fault, ...]]:
    """The files by path, and a fault for each that cannot be read."""
    files: dict[str, bytes] = {}
    faults: list[Fault] = []
    for file in sorted(file for folder in (TEMPLATES, PARTIALS) for file in (root / folder).rglob("*")):
        if not (file.name.endswith(SUFFIX) or is_beside(file.name)) or file.is_dir():
            continue
        name = file.relative_to(root).as_posix()
        try:
            files[name] = file.read_bytes()
        except OSError as error:
            faults.append(Fault(name, 0, f"cannot be read: {error.strerror}"))
    if not (root / TEMPLATES).is_dir():
        faults.append(Fault(TEMPLATES, 0, f"is not a folder; templates are files {TEMPLATES}/<id>{SUFFIX}"))
    return files, tuple(faults)
