"""The git history of a folder: which contents its files have had, and under which names.

Reads objects, never checks anything out, and knows nothing of templates but which files each is made of. What counts is
what is reachable from the heads and tags that it is given: a commit that nobody merged or tagged is not a version,
whoever knows its name. A history can be continued: then what it knew stays known, whatever became of the branch.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pygit2
from pygit2.enums import DeltaStatus, SortMode

from prompts.errors import Fault, LibraryError
from prompts.files import Read, digest_of, digest_of_parts, parts

SHORTEST = 7  # hex digits of an abbreviated name: git's own default
_HEX = re.compile(rf"[0-9a-f]{{{SHORTEST},40}}")


class References(NamedTuple):
    """Where histories begin: commits by their full names; no head where nothing was committed."""

    head: str | None
    tags: Mapping[str, str]

    @property
    def tips(self) -> set[str]:
        return {*self.tags.values(), *([self.head] if self.head else [])}


class Revision(NamedTuple):
    """A commit that changed what a template is made of: its name (12 hex digits), date (UTC), what it made it.

    `digest` names all files of the template (`prompts.files.digest_of_parts`), `file` its own (40 digits each).
    """

    commit: str
    date: datetime
    digest: str
    file: str


class History:
    """The past of the files below one folder of a repository. One thread at a time."""

    def __init__(
        self, repository: pygit2.Repository, folder: str, references: References, before: "History | None" = None
    ) -> None:
        """`folder` is relative to the repository's root, empty for the root itself. With `before`, a history of the
        same folder, only commits that it does not know are read. Raises LibraryError when git cannot read them."""
        self._repository, self._folder = repository, folder.strip("/.")
        self.references = references
        self._revisions: dict[str, Sequence[Revision]] = {}
        self._trees: dict[str, pygit2.Tree | None] = {}
        known: set[str] = before._tips if before else set()
        self._tips: set[str] = references.tips | known
        try:
            walked = self._walk(references.tips, known)
            changes = {str(commit.id): self._changes(commit) for commit in walked}
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise LibraryError([Fault(folder, 0, f"git cannot read its history: {error}")]) from None
        self._times: dict[str, int] = {str(commit.id): commit.commit_time for commit in walked} | (
            before._times if before else {}
        )
        self._names = sorted(self._times)
        self._changed: dict[str, frozenset[str]] = _joined(changes, before._changed if before else {})
        self._trees.clear()

    @property
    def tags(self) -> Mapping[str, str]:
        return self.references.tags

    def revisions(self, path: str) -> Sequence[Revision]:
        """The commits that changed a template, newest first. Raises LibraryError when git cannot read one."""
        if path not in self._revisions:
            self._revisions[path] = list(self._found(path))
        return self._revisions[path]

    def commit(self, path: str, version: str) -> str | None:
        """The commit at which to read a version of a template, None for none and for several.

        A version is a commit or a digest, of the file or of all that the template is made of, in 7 hex digits or more.
        """
        if version in self._times or not _HEX.fullmatch(version):
            return version if version in self._times else None
        commits = _starting(self._names, version)
        revisions = [r for r in self.revisions(path) if r.digest.startswith(version) or r.file.startswith(version)]
        if len(commits) + len({revision.digest for revision in revisions}) != 1:
            return None
        return commits[0] if commits else _starting(self._names, revisions[0].commit)[0]

    def at(self, commit: str) -> Read:
        """Reads the files of a commit. Raises LibraryError, also when it reads, where the repository has lost some."""
        folder = self._tree(commit)

        def read(path: str) -> bytes | None:
            found = _at(folder, path) if folder else None
            try:
                return found.data if isinstance(found, pygit2.Blob) else None
            except (KeyError, pygit2.GitError) as error:
                raise LibraryError([Fault(path, 0, f"git has lost it at {commit[:12]}: {error}")]) from None

        return read

    def paths(self, commit: str) -> list[str]:
        """Every file of a commit."""
        folder = self._tree(commit)
        return sorted(_files(folder)) if folder else []

    def _found(self, path: str) -> Iterator[Revision]:
        """Follows the files that a template was ever made of, until no further commit changed one of them."""
        made: dict[str, dict[str, bytes]] = {}
        paths = {path}
        while new := {name for one in paths for name in self._changed.get(one, ())} - made.keys():
            for name in new:
                made[name] = parts(path, self.at(name))
                paths |= made[name].keys()
        for name in (name for name in self._times if name in made):
            if any(name in self._changed.get(one, ()) for one in made[name]):
                digests = {one: digest_of(data) for one, data in made[name].items()}
                date = datetime.fromtimestamp(self._times[name], UTC)
                yield Revision(name[:12], date, digest_of_parts(digests), digests[path])

    def _walk(self, tips: set[str], known: set[str]) -> list[pygit2.Commit]:
        """The commits that are reachable and not known, newest first."""
        walker = self._repository.walk(None, SortMode.TOPOLOGICAL | SortMode.TIME)
        for tip in tips:
            walker.push(tip)
        for tip in known:
            if tip in self._repository:
                walker.hide(tip)
        return list(walker)

    def _changes(self, commit: pygit2.Commit) -> set[str]:
        """The files to which a commit gave content that no parent had; parents beyond a shallow clone have none."""
        tree = self._tree(str(commit.id))
        if tree is None:
            return set()
        parents = [self._tree(str(id)) if id in self._repository else None for id in commit.parent_ids] or [None]
        if any(parent is not None and parent.id == tree.id for parent in parents):
            return set()
        return set.intersection(*(_different(tree, parent) for parent in parents))

    def _tree(self, commit: str) -> pygit2.Tree | None:
        """The folder as a commit has it."""
        if commit not in self._trees:
            try:
                whole = self._repository[commit].peel(pygit2.Commit).tree
                found = _at(whole, self._folder) if self._folder else whole
            except (KeyError, ValueError, pygit2.GitError) as error:
                raise LibraryError([Fault(self._folder, 0, f"git has lost commit {commit[:12]}: {error}")]) from None
            if len(self._trees) > _KEPT:
                self._trees.clear()
            self._trees[commit] = found if isinstance(found, pygit2.Tree) else None
        return self._trees[commit]


_KEPT = 4096  # trees of a folder, some 1 KB each: a walk visits a parent soon after its child


def references(repository: pygit2.Repository) -> References:
    """HEAD and every tag that ends at a commit; tags of trees and blobs name no version of a file."""
    tags = {}
    for name in repository.references:
        if name.startswith("refs/tags/"):
            try:
                tags[name.removeprefix("refs/tags/")] = str(repository.references[name].peel(pygit2.Commit).id)
            except pygit2.InvalidSpecError:
                continue
    head = None if repository.head_is_unborn else str(repository.head.peel(pygit2.Commit).id)
    return References(head, tags)


def _joined(changes: Mapping[str, set[str]], before: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """By path the commits that changed it."""
    found: dict[str, set[str]] = {}
    for commit, paths in changes.items():
        for path in paths:
            found.setdefault(path, set()).add(commit)
    return dict(before) | {path: frozenset(commits) | before.get(path, frozenset()) for path, commits in found.items()}


def _different(tree: pygit2.Tree, parent: pygit2.Tree | None) -> set[str]:
    diff = tree.diff_to_tree(parent, swap=True) if parent else tree.diff_to_tree(swap=True)
    return {delta.new_file.path for delta in diff.deltas if delta.status != DeltaStatus.DELETED}


def _files(tree: pygit2.Tree) -> Iterator[str]:
    for entry in tree:
        if isinstance(entry, pygit2.Tree):
            yield from (f"{entry.name}/{path}" for path in _files(entry))
        elif isinstance(entry, pygit2.Blob):
            yield str(entry.name)


def _at(tree: pygit2.Tree, path: str) -> pygit2.Object | None:
    try:
        return tree[path]
    except KeyError:
        return None


def _starting(names: Sequence[str], prefix: str) -> Sequence[str]:
    """The sorted names that begin with a prefix; `g` sorts after every hex digit."""
    return names[bisect_left(names, prefix) : bisect_left(names, prefix + "g")]
