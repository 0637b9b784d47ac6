"""What loading reads of a repository, counted: commits and trees along the history, and no old file."""

from collections import Counter
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import ObjectType

from prompts.history import History, references
from prompts.library import Library
from tests.prompts.scaled import build

TEMPLATES, COMMITS = 20, 120


class Counting(pygit2.OdbBackend):
    """The loose objects of a repository, each read counted by its type."""

    def __init__(self, objects: Path) -> None:
        super().__init__()
        self._loose = pygit2.OdbBackendLoose(str(objects), -1, False)
        self.reads: Counter[ObjectType] = Counter()

    def read_cb(self, oid: pygit2.Oid) -> tuple[int, bytes]:
        kind, data = self._loose.read(oid)
        self.reads[ObjectType(kind)] += 1
        return kind, data

    def read_header_cb(self, oid: pygit2.Oid) -> tuple[int, int]:
        kind, data = self._loose.read(oid)
        return kind, len(data)

    def read_prefix_cb(self, oid: pygit2.Oid) -> tuple[int, bytes, pygit2.Oid]:
        return (*self.read_cb(oid), oid)

    def exists_cb(self, oid: pygit2.Oid) -> bool:
        return bool(self._loose.exists(oid))

    def exists_prefix_cb(self, oid: pygit2.Oid) -> pygit2.Oid:
        return oid

    def refresh_cb(self) -> None:
        """Nothing is added while it reads."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("scaled")
    build(made, TEMPLATES, COMMITS)
    return made


def counted(place: Path) -> tuple[pygit2.Repository, Counting]:
    repository = pygit2.Repository(str(place))
    counting = Counting(place / ".git/objects")
    odb = pygit2.Odb()
    odb.add_backend(counting, 1)
    repository.set_odb(odb)
    return repository, counting


def test_a_history_is_read_without_its_files(place: Path) -> None:
    known = references(pygit2.Repository(str(place)))
    repository, counting = counted(place)
    history = History(repository, "", known)
    reads = counting.reads
    assert reads[ObjectType.BLOB] == 0, reads
    assert reads[ObjectType.COMMIT] <= 2 * COMMITS, reads
    assert reads[ObjectType.TREE] <= 4 * COMMITS, reads  # the root, a folder, a team, each once; and some again
    assert len(history.revisions("templates/team0/t0.md.j2")) > 1
    assert 0 < reads[ObjectType.BLOB] < COMMITS


def test_a_history_that_goes_on_reads_only_what_is_new(place: Path) -> None:
    known = references(pygit2.Repository(str(place)))
    before = History(pygit2.Repository(str(place)), "", known)
    repository, counting = counted(place)
    History(repository, "", known, before)
    assert sum(counting.reads.values()) <= 3 * len(known.tips), counting.reads


def test_versions_are_read_when_they_are_asked_for(place: Path) -> None:
    library = Library.load(place)
    oldest = library.versions("team0/t0")[-1]
    assert library.get("team0/t0", oldest.commit) is library.get("team0/t0", oldest.commit)
