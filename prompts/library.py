"""The templates of one folder, as they are and as they were.

`<root>/templates/<id>.md.j2` is read once; a change on disk or in git is seen by loading again, all or nothing, so that
what a version renders never changes under a running gateway. Versions are the git history of the repository that
contains the folder; without one, or for files it does not track, the working file's digest is the only version.

Invariant: an id or a version from a client is looked up among known names and never becomes a path of the file system.
"""

import logging
import re
from functools import lru_cache
from pathlib import Path
from typing import Self

import pygit2

from prompts.errors import Fault, LibraryError, PromptNotFound
from prompts.history import SHORTEST, History, Revision
from prompts.template import Template, parse

__all__ = ["Library", "LibraryError", "PromptNotFound"]

FOLDER, SUFFIX = "templates", ".md.j2"
_PART = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_ID = re.compile(rf"{_PART}(?:/{_PART}){{0,7}}")
_OLD = 256  # compiled old versions kept; one takes some 20 KB

_log = logging.getLogger(__name__)


class Library:
    """Templates by id and version. One thread at a time."""

    def __init__(self, root: Path) -> None:
        """Reads and compiles every template below `root`. Raises LibraryError with every fault of every file."""
        self._templates = _read_all(root / FOLDER)
        self._history = _history(root / FOLDER)
        self._old = lru_cache(_OLD)(self._read_old)

    @classmethod
    def load(cls, root: Path) -> Self:
        """The library in a folder; raises LibraryError with every fault of every file."""
        return cls(root)

    def ids(self) -> list[str]:
        return sorted(self._templates)

    def get(self, id: str, version: str | None = None) -> Template:
        """The working file, or what it was at a tag, a commit or a blob digest (7 hex digits or more).

        Raises PromptNotFound, also when that version exists but cannot be used.
        """
        working = self._templates.get(id)
        if version is None:
            if working is None:
                raise PromptNotFound(id, None, self.ids())
            return working
        if working and len(version) >= SHORTEST and working.digest.startswith(version):
            return working
        return self._old(id, version)

    def versions(self, id: str) -> list[Revision]:
        """The commits that changed a template, newest first; none without git. Raises PromptNotFound."""
        revisions = self._history.revisions(id + SUFFIX) if self._history else ()
        if not revisions and id not in self._templates:
            raise PromptNotFound(id, None, self.ids())
        return list(revisions)

    def _read_old(self, id: str, version: str) -> Template:
        known = [revision.commit for revision in self.versions(id)]
        data = self._history.read(id + SUFFIX, version) if self._history else None
        if self._history is None or data is None:
            raise PromptNotFound(id, version, known)
        try:
            return parse(id, id + SUFFIX, data, version if version in self._history.tags else None)
        except LibraryError as error:
            raise PromptNotFound(id, version, known, str(error)) from None


def _read_all(folder: Path) -> dict[str, Template]:
    templates: dict[str, Template] = {}
    faults: list[Fault] = []
    for file in sorted(folder.rglob(f"*{SUFFIX}")):
        name = file.relative_to(folder).as_posix()
        try:
            template = _read(name, file)
            templates[template.id] = template
        except LibraryError as error:
            faults += error.faults
    if not folder.is_dir():
        faults.append(Fault(FOLDER, 0, f"is not a folder; templates are files {FOLDER}/<id>{SUFFIX}"))
    if faults:
        raise LibraryError(faults)
    return templates


def _read(name: str, file: Path) -> Template:
    id = name.removesuffix(SUFFIX)
    if not _ID.fullmatch(id):
        raise LibraryError([Fault(name, 0, "an id is at most 8 parts of letters, digits, - and _, divided by /")])
    try:
        return parse(id, name, file.read_bytes())
    except OSError as error:
        raise LibraryError([Fault(name, 0, f"cannot be read: {error.strerror}")]) from None


def _history(folder: Path) -> History | None:
    """The history, or None with a warning: a folder that git refuses, such as one of another owner, has no versions."""
    try:
        return History.of(folder)
    except pygit2.GitError as error:
        _log.warning("no versions of prompts: git refuses to read their repository: %s", error)
        return None
