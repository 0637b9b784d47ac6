"""The templates of one source, as they are and as they were.

A library is a value: it is read once and never changes, so that what a version renders never changes under a running
gateway. `reloaded()` gives a new one, all or nothing. Old versions are read and compiled when they are first asked for,
each from the files of its own commit.

Invariant: an id or a version from a client is looked up among known names and never becomes a path of the file system.
"""

from functools import lru_cache
from pathlib import Path
from typing import Self

from prompts.errors import Fault, LibraryError, PromptNotFound
from prompts.files import SUFFIX, TEMPLATES, Read, is_id, is_template, parts, template_path
from prompts.history import SHORTEST, Revision
from prompts.source import Folder, Snapshot, Source
from prompts.template import Template, parse

__all__ = ["LATEST", "Library", "LibraryError", "PromptNotFound"]

LATEST = "latest"  # the version that follows the branch, or the working files: the same as naming none
_OLD = 256  # compiled old versions kept; one takes some 20 KB


class Library:
    """Templates by id and version. One thread at a time, but for `reloaded`."""

    def __init__(self, source: Source, snapshot: Snapshot, before: "Library | None" = None) -> None:
        """Compiles every template that `before` does not have. Raises LibraryError with every fault of every file."""
        self._source, self._snapshot, self._history = source, snapshot, snapshot.history
        self._templates = _compiled(snapshot, before)
        self._old = lru_cache(_OLD)(self._read_old)

    @classmethod
    def load(cls, root: Path) -> Self:
        """The library in a folder; raises LibraryError with every fault of every file."""
        return cls.open(Folder(root))

    @classmethod
    def open(cls, source: Source) -> Self:
        """The library of a source or, where that is faulty or out of reach, the last good one that it remembers, with
        the faults as notes. Raises LibraryError with every fault when there is none."""
        try:
            made = cls(source, source.read(None))
        except LibraryError as error:
            if (kept := source.kept()) is None:
                raise
            return cls(source, Snapshot(kept.files, kept.history, error.faults))
        source.keep(made._snapshot)
        return made

    def reloaded(self) -> "Library":
        """The library as its source is now; this very one when nothing has changed. May run in another thread.

        Templates that did not change are the same objects. Raises LibraryError with every fault: then nothing of what
        is new is used, and this library goes on.
        """
        snapshot = self._source.read(self._snapshot)
        if snapshot is self._snapshot:
            return self
        made = Library(self._source, snapshot, self)
        self._source.keep(snapshot)
        return made

    @property
    def notes(self) -> tuple[Fault, ...]:
        """What people should know although the library is good: tags that were moved, a source that is out of reach."""
        return self._snapshot.notes

    def ids(self) -> list[str]:
        return sorted(self._templates)

    def get(self, id: str, version: str | None = None) -> Template:
        """The latest, or what it was at a tag, a commit or a digest (7 hex digits or more).

        A tag `<id>/v3` goes before a tag `v3`, and a tag before an abbreviated hash. Raises PromptNotFound, also when
        that version exists but cannot be used.
        """
        latest = self._templates.get(id)
        if version is None or version == LATEST:
            if latest is None:
                raise PromptNotFound(id, None, self.ids())
            return latest
        if latest and len(version) >= SHORTEST and latest.digest.startswith(version):
            return latest
        return self._old(id, version)

    def reading(self, id: str, version: str | None = None) -> Read:
        """Reads the files of a template's version by their paths, also those beside it that it does not name.

        Raises PromptNotFound; reading raises LibraryError where the repository has lost a file.
        """
        if self.get(id, version) is self._templates.get(id):
            return self._snapshot.files.get
        found = self._commit(id, version or LATEST)
        assert self._history is not None
        assert found is not None  # `get` has found it there
        return self._history.at(found[0])

    def versions(self, id: str) -> list[Revision]:
        """The commits that changed a template or what it includes, newest first; none without git.

        Raises PromptNotFound.
        """
        try:
            revisions = self._history.revisions(template_path(id)) if self._history else ()
        except LibraryError as error:
            raise PromptNotFound(id, None, (), str(error)) from None
        if not revisions and id not in self._templates:
            raise PromptNotFound(id, None, self.ids())
        return list(revisions)

    def _read_old(self, id: str, version: str) -> Template:
        path = template_path(id)
        try:
            if self._history and (found := self._commit(id, version)):
                commit, tag = found
                read = self._history.at(commit)
                if data := read(path):
                    return parse(id, path, data, tag, read)
        except LibraryError as error:
            raise PromptNotFound(id, version, (), str(error)) from None
        raise PromptNotFound(id, version, [revision.commit for revision in self.versions(id)])

    def _commit(self, id: str, version: str) -> tuple[str, str | None] | None:
        """The commit that a version names, and the tag if it is one."""
        assert self._history is not None
        for tag in (f"{id}/{version}", version):
            if tag in self._history.tags:
                return self._history.tags[tag], version
        commit = self._history.commit(template_path(id), version)
        return (commit, None) if commit else None


def _compiled(snapshot: Snapshot, before: Library | None) -> dict[str, Template]:
    templates: dict[str, Template] = {}
    faults = [*snapshot.faults]
    for path in sorted(filter(is_template, snapshot.files)):
        id = path.removeprefix(f"{TEMPLATES}/").removesuffix(SUFFIX)
        try:
            templates[id] = _unchanged(id, path, snapshot, before) or _read(id, path, snapshot)
        except LibraryError as error:
            faults += error.faults
    if faults:
        raise LibraryError(sorted(set(faults), key=lambda fault: (fault.path, fault.line, fault.message)))
    return templates


def _unchanged(id: str, path: str, snapshot: Snapshot, before: Library | None) -> Template | None:
    if before is None or parts(path, before._snapshot.files.get) != parts(path, snapshot.files.get):
        return None
    return before._templates.get(id)


def _read(id: str, path: str, snapshot: Snapshot) -> Template:
    if not is_id(id):
        raise LibraryError([Fault(path, 0, "an id is at most 8 parts of letters, digits, - and _, divided by /")])
    return parse(id, path, snapshot.files[path], read=snapshot.files.get)
