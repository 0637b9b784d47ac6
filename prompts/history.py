"""The git history of a folder: which contents a file has had, and under which names.

Reads objects, never checks anything out, and knows nothing of templates. What counts is what was reachable from HEAD or
from a tag when the history was opened: a commit that nobody merged or tagged is not a version, whoever knows its name.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

import pygit2
from pygit2.enums import ReferenceFilter, SortMode

SHORTEST = 7  # hex digits of an abbreviated name: git's own default
_HEX = re.compile(rf"[0-9a-f]{{{SHORTEST},40}}")
_TAGS = "refs/tags/"


class Revision(NamedTuple):
    """A commit that gave a file new content: its name (12 hex digits), date (UTC), the blob's digest (40 digits)."""

    commit: str
    date: datetime
    digest: str


class History:
    """The past of the files below one folder of a repository, read once. One thread at a time."""

    def __init__(self, repository: pygit2.Repository, folder: str) -> None:
        """`folder` is relative to the repository's root, with `/`."""
        self._repository = repository
        self._folder = folder
        self._tags = dict(_tagged(repository))
        self._commits = {str(commit.id): commit for commit in _reachable(repository, self._tags.values())}
        self._names = sorted(self._commits)
        self._past = _past(self._commits.values(), folder)

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """The history of a folder, None outside of a repository. Raises pygit2.GitError when git refuses to read it."""
        place = folder.resolve()
        found = pygit2.discover_repository(str(place))
        repository = pygit2.Repository(found) if found else None
        if repository is None or repository.workdir is None:
            return None
        return cls(repository, place.relative_to(Path(repository.workdir).resolve()).as_posix())

    @property
    def tags(self) -> Collection[str]:
        return self._tags.keys()

    def revisions(self, path: str) -> Sequence[Revision]:
        """The contents a file has had, newest first; `path` is relative to the folder."""
        return self._past.get(path, ())

    def read(self, path: str, version: str) -> bytes | None:
        """A file's bytes at a tag, a commit or a blob digest (7 hex digits or more); None for none and for several.

        A tag goes before an abbreviated hash, as in git itself.
        """
        if version in self._tags:
            blob = self._blob(self._tags[version], path)
        else:
            blob = self._abbreviated(path, version) if _HEX.fullmatch(version) else None
        return blob.data if blob else None

    def _abbreviated(self, path: str, version: str) -> pygit2.Blob | None:
        commits = _starting(self._names, version)
        blobs = _starting(sorted({revision.digest for revision in self.revisions(path)}), version)
        if len(commits) + len(blobs) != 1:
            return None
        return self._blob(self._commits[commits[0]], path) if commits else self._repository[blobs[0]].peel(pygit2.Blob)

    def _blob(self, commit: pygit2.Commit, path: str) -> pygit2.Blob | None:
        found = _at(commit.tree, f"{self._folder}/{path}")
        return found if isinstance(found, pygit2.Blob) else None


def _past(commits: Iterable[pygit2.Commit], folder: str) -> dict[str, list[Revision]]:
    """Every path below the folder that ever was, with the commits that gave it content no parent had."""
    known: dict[pygit2.Oid, dict[str, str]] = {}
    files = {commit.id: _files(_at(commit.tree, folder), known) for commit in commits}
    past: dict[str, list[Revision]] = {}
    for commit in commits:
        parents = [files.get(parent, {}) for parent in commit.parent_ids]
        if any(parent is files[commit.id] for parent in parents):
            continue
        for path, digest in files[commit.id].items():
            if all(parent.get(path) != digest for parent in parents):
                date = datetime.fromtimestamp(commit.commit_time, UTC)
                past.setdefault(path, []).append(Revision(str(commit.id)[:12], date, digest))
    return past


def _files(tree: pygit2.Object | None, known: dict[pygit2.Oid, dict[str, str]]) -> dict[str, str]:
    """Path to digest for every file below a tree; equal trees share one dictionary, through `known`."""
    if not isinstance(tree, pygit2.Tree):
        return {}
    if tree.id not in known:
        found = known[tree.id] = {}
        for entry in tree:
            if isinstance(entry, pygit2.Tree):
                found.update({f"{entry.name}/{path}": digest for path, digest in _files(entry, known).items()})
            elif isinstance(entry, pygit2.Blob):
                found[str(entry.name)] = str(entry.id)
    return known[tree.id]


def _at(tree: pygit2.Tree, path: str) -> pygit2.Tree | pygit2.Blob | None:
    try:
        return tree[path]
    except KeyError:
        return None


def _tagged(repository: pygit2.Repository) -> list[tuple[str, pygit2.Commit]]:
    """Every tag that ends at a commit; tags of trees and blobs name no version of a file."""
    found = []
    for reference in repository.references.iterator(ReferenceFilter.TAGS):
        try:
            found.append((reference.name.removeprefix(_TAGS), reference.peel(pygit2.Commit)))
        except pygit2.InvalidSpecError:
            continue
    return found


def _reachable(repository: pygit2.Repository, tagged: Iterable[pygit2.Commit]) -> list[pygit2.Commit]:
    """Newest first."""
    walker = repository.walk(None, SortMode.TOPOLOGICAL | SortMode.TIME)
    for commit in tagged:
        walker.push(commit.id)
    if not repository.head_is_unborn:
        walker.push(repository.head.peel(pygit2.Commit).id)
    return list(walker)


def _starting(names: Sequence[str], prefix: str) -> Sequence[str]:
    """The sorted names that begin with a prefix; `g` sorts after every hex digit."""
    return names[bisect_left(names, prefix) : bisect_left(names, prefix + "g")]
