"""A branch of another repository as the source of a library: fetched into a bare mirror, never checked out.

    refs/fetched/...                    what the remote was seen to have
    refs/kept/heads/<branch>.head       the commit whose templates were good last: where a start goes on from
    refs/kept/tags/<tag>.tag            every tag as it was first seen

The suffixes let a tag `a` be kept beside a later one `a/b`, which git's folders of names would refuse.

Does not know templates. Invariants: a branch only moves forward, a tag not at all, and nothing that was kept is ever
deleted from the mirror, so that an old version stays renderable whatever becomes of the remote; no text holds a key.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pygit2
from pygit2.enums import CredentialType

from prompts.errors import Fault, LibraryError
from prompts.files import PARTIALS, TEMPLATES
from prompts.history import History, References
from prompts.source import Snapshot, pin

_FETCHED = "refs/fetched/"
_TAG = re.compile(r"refs/kept/tags/(.+)\.tag")
_MAX_BYTES = 256 << 20  # of one fetch: prompts are text, and a larger repository is another one than was meant
_CONNECT_MS, _ANSWER_MS = 10_000, 30_000  # until a remote that says nothing counts as out of reach


@dataclass(frozen=True)
class Remote:
    """`url` is a remote's, or the path of a repository; `branch` None is the one that it calls its own.

    `folder` is relative to its root. `mirror` is a folder of ours alone. `key`: a token or `user:password` for https;
    for ssh the agent is asked.
    """

    url: str
    mirror: Path
    branch: str | None = None
    folder: str = ""
    key: str | None = field(default=None, repr=False)

    def read(self, before: Snapshot | None) -> Snapshot:
        """Fetches. Raises LibraryError when the remote is out of reach, or when its branch was rewritten."""
        with self._opened() as repository:
            found = self._fetch(repository)
            return self._snapshot(repository, found, before)

    def keep(self, snapshot: Snapshot) -> None:
        with self._opened() as repository:
            assert snapshot.history is not None
            head = str(snapshot.history.references.head)
            before = self._references(repository)
            if before and repository.descendant_of(str(before.head), head):
                return  # another process has gone further meanwhile
            for tag, commit in snapshot.history.tags.items():
                repository.references.create(f"refs/kept/tags/{tag}.tag", commit, force=True)
            repository.references.create(self._ref, head, force=True)

    def kept(self) -> Snapshot | None:
        with self._opened() as repository:
            if (references := self._references(repository)) is None:
                return None
            return self._snapshot(repository, references, None)

    @property
    def _ref(self) -> str:
        return f"refs/kept/heads/{self.branch or 'HEAD'}.head"

    @contextmanager
    def _opened(self) -> Iterator[pygit2.Repository]:
        """The mirror, made where it is absent, for one process at a time. Raises LibraryError."""
        try:
            self.mirror.mkdir(parents=True, exist_ok=True)
            with (self.mirror / "tollgate.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not (self.mirror / "HEAD").exists():
                    pygit2.init_repository(self.mirror, bare=True)
                yield pygit2.Repository(str(self.mirror))
        except (OSError, KeyError, ValueError, pygit2.GitError) as error:
            raise self._fault(f"{error} (its mirror is {self.mirror})") from None

    def _fetch(self, repository: pygit2.Repository) -> References:
        """What the remote has now, in the mirror."""
        pygit2.settings.server_connect_timeout, pygit2.settings.server_timeout = _CONNECT_MS, _ANSWER_MS
        remote = repository.remotes.create_anonymous(self.url)
        branch = f"refs/heads/{self.branch}" if self.branch else "HEAD"
        try:
            there = {str(head.name): str(head.oid) for head in remote.list_heads(callbacks=_Callbacks(self.key))}
            heads = {name: oid for name, oid in there.items() if name == branch or name.startswith("refs/tags/")}
            if any(commit not in repository for commit in heads.values()):
                self._forget(repository)
                remote.fetch(
                    [f"+{branch}:{_FETCHED}{branch}", f"+refs/tags/*:{_FETCHED}refs/tags/*"],
                    callbacks=_Callbacks(self.key),
                )
        except (pygit2.GitError, OSError, ValueError) as error:
            raise self._fault(f"cannot be fetched: {error}") from None
        if branch not in heads:
            raise self._fault(f"has no branch {self.branch or 'of its own'}")
        return References(heads[branch], dict(_tags(repository, heads)))

    def _forget(self, repository: pygit2.Repository) -> None:
        """Drop the names, not the objects, of the fetch before: git keeps no `a/b` beside an `a` that is gone."""
        for name in [name for name in repository.references if name.startswith(_FETCHED)]:
            repository.references.delete(name)

    def _snapshot(self, repository: pygit2.Repository, found: References, before: Snapshot | None) -> Snapshot:
        kept = self._references(repository)
        if kept and kept.head != found.head and not repository.descendant_of(str(found.head), str(kept.head)):
            raise self._fault(
                f"its branch was rewritten: {str(found.head)[:12]} does not follow {str(kept.head)[:12]}, which is "
                f"kept; merge the one into the other, or delete {self.mirror} to start from what is there now"
            )
        pinned, notes = pin(kept, found) if kept else (found, ())
        old = before.history if before else None
        if before and old and notes == before.notes and old.references == pinned:
            return before
        history = History(repository, self.folder, pinned, old)
        read = history.at(str(pinned.head))
        wanted = (path for path in history.paths(str(pinned.head)) if path.startswith((TEMPLATES, PARTIALS)))
        files = {path: data for path in wanted if (data := read(path)) is not None}
        faults = () if files else (Fault(self.folder, 0, f"has no folder {TEMPLATES} at {str(pinned.head)[:12]}"),)
        return Snapshot(files, history, notes, faults)

    def _references(self, repository: pygit2.Repository) -> References | None:
        """What was kept; None for nothing."""
        if self._ref not in repository.references:
            return None
        matches = filter(None, map(_TAG.fullmatch, repository.references))
        tags = {match[1]: str(repository.references[match[0]].target) for match in matches}
        return References(str(repository.references[self._ref].target), tags)

    def _fault(self, message: str) -> LibraryError:
        return LibraryError([Fault(self.url, 0, message)])


def _tags(repository: pygit2.Repository, heads: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Every tag that ends at a commit."""
    for name, target in heads.items():
        if name.startswith("refs/tags/") and not name.endswith("^{}"):
            try:
                yield name.removeprefix("refs/tags/"), str(repository[target].peel(pygit2.Commit).id)
            except pygit2.InvalidSpecError:
                continue


class _Callbacks(pygit2.RemoteCallbacks):
    """Answers for one fetch; a key is offered once, as git asks again for one that was refused."""

    def __init__(self, key: str | None) -> None:
        super().__init__()
        self._key, self._asked = key, False

    def credentials(
        self, url: str, username_from_url: str | None, allowed_types: CredentialType
    ) -> pygit2.UserPass | pygit2.KeypairFromAgent:
        if self._asked:
            raise ValueError("its key was refused")
        self._asked = True
        if self._key and allowed_types & CredentialType.USERPASS_PLAINTEXT:
            user, _, password = self._key.rpartition(":")
            return pygit2.UserPass(user or "git", password)
        if allowed_types & CredentialType.SSH_KEY and "SSH_AUTH_SOCK" in os.environ:
            return pygit2.KeypairFromAgent(username_from_url or "git")
        raise ValueError("it asks for a key, and none is set")

    def transfer_progress(self, stats: pygit2.remotes.TransferProgress) -> None:
        if stats.received_bytes > _MAX_BYTES:
            raise ValueError(f"sends more than {_MAX_BYTES} bytes")
