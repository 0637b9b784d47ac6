"""The library: ids, versions out of a real repository, and what it refuses."""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pygit2
import pytest

from prompts.errors import LibraryError, PromptNotFound
from prompts.library import Library

AUTHOR = "A. Author"


def text(words: str) -> str:
    """A template that renders these words."""
    return f'---\ndescription: d\nvariables: {{}}\n---\n{{% message role="user" %}}{words}{{% endmessage %}}\n'


class Folder:
    """A prompts folder inside a repository of its own."""

    def __init__(self, place: Path) -> None:
        self.repository = pygit2.init_repository(place, initial_head="main")
        self.root = place / "app" / "prompts"
        self._clock = 1_700_000_000

    def write(self, id: str, content: str) -> None:
        path = self.root / "templates" / f"{id}.md.j2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())

    def commit(self, reference: str = "HEAD", parents: list[pygit2.Oid] | None = None) -> pygit2.Oid:
        index = self.repository.index
        index.add_all()
        index.write()
        self._clock += 60
        author = pygit2.Signature(AUTHOR, "author@example.com", self._clock, 0)
        if parents is None:
            parents = [] if self.repository.head_is_unborn else [self.repository.head.peel(pygit2.Commit).id]
        return self.repository.create_commit(reference, author, author, "message", index.write_tree(), parents)

    def tag(self, name: str, target: pygit2.Oid) -> None:
        self.repository.references.create(f"refs/tags/{name}", target)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def words(library: Library, id: str, version: str | None = None) -> str:
    return library.get(id, version).render({})[0]["content"]


def test_ids_may_have_parts(folder: Folder) -> None:
    folder.write("a", text("one"))
    folder.write("support/answer", text("two"))
    library = Library.load(folder.root)
    assert library.ids() == ["a", "support/answer"]
    assert words(library, "support/answer") == "two"


def test_an_old_version_renders_as_at_its_commit(folder: Folder) -> None:
    commits = []
    for number in range(5):
        folder.write("support/a", text(f"words {number}"))
        commits.append(folder.commit())
    folder.tag("v2", commits[2])
    folder.write("support/a", text("not committed"))
    library = Library.load(folder.root)
    assert words(library, "support/a") == "not committed"
    for number, commit in enumerate(commits):
        assert words(library, "support/a", str(commit)) == f"words {number}"
        assert words(library, "support/a", str(commit)[:7]) == f"words {number}"
    assert words(library, "support/a", "v2") == "words 2"
    for number, revision in enumerate(reversed(library.versions("support/a"))):
        assert words(library, "support/a", revision.digest) == f"words {number}"
        assert words(library, "support/a", revision.digest[:7]) == f"words {number}"
        assert words(library, "support/a", revision.commit) == f"words {number}"


def test_the_name_of_a_version(folder: Folder) -> None:
    folder.write("a", text("one"))
    commit = folder.commit()
    folder.tag("release/v1.0", commit)
    folder.write("a", text("two"))
    library = Library.load(folder.root)
    old, now = library.get("a", "release/v1.0"), library.get("a")
    assert old.version == "release/v1.0"
    assert library.get("a", str(commit)).version == old.digest[:12]
    assert library.get("a", now.digest[:7]) is now
    assert library.get("a", "release/v1.0") is old
    with pytest.raises(PromptNotFound):  # shorter than git would abbreviate it
        library.get("a", str(commit)[:6])


def test_an_abbreviation_of_two_digests_is_no_version(folder: Folder) -> None:
    digests = []
    for number in (26710, 31293):  # found by trying: their blobs agree in the first 7 digits and in no more
        folder.write("a", text(f"words {number}"))
        folder.commit()
        digests.append(Library.load(folder.root).get("a").digest)
    assert digests[0][:7] == digests[1][:7]
    folder.write("a", text("now"))
    library = Library.load(folder.root)
    with pytest.raises(PromptNotFound):
        library.get("a", digests[0][:7])
    assert words(library, "a", digests[0][:8]) == "words 26710"


def test_an_annotated_tag(folder: Folder) -> None:
    folder.write("a", text("one"))
    commit = folder.commit()
    author = pygit2.Signature(AUTHOR, "author@example.com", 1_700_000_000, 0)
    folder.repository.create_tag("v1", commit, pygit2.enums.ObjectType.COMMIT, author, "message")
    folder.tag("of-a-tree", folder.repository[commit].peel(pygit2.Tree).id)
    library = Library.load(folder.root)
    assert words(library, "a", "v1") == "one"
    with pytest.raises(PromptNotFound):
        library.get("a", "of-a-tree")


def test_versions_are_the_commits_that_changed_the_file(folder: Folder) -> None:
    folder.write("a", text("one"))
    first = folder.commit()
    folder.write("b", text("other"))
    folder.commit()
    folder.write("a", text("two"))
    third = folder.commit()
    versions = Library.load(folder.root).versions("a")
    assert [version.commit for version in versions] == [str(third)[:12], str(first)[:12]]
    assert versions[1].date == datetime.fromtimestamp(1_700_000_060, UTC)
    assert versions[0].digest == str(pygit2.hash(text("two").encode()))


def test_a_deleted_prompt_keeps_its_versions(folder: Folder) -> None:
    folder.write("a", text("one"))
    folder.write("b", text("other"))
    commit = folder.commit()
    (folder.root / "templates/a.md.j2").unlink()
    library = Library.load(folder.root)
    assert words(library, "a", str(commit)) == "one"
    with pytest.raises(PromptNotFound, match="there is no prompt 'a'; known: b"):
        library.get("a")


def test_a_library_is_a_snapshot(folder: Folder) -> None:
    folder.write("a", text("one"))
    folder.tag("v1", folder.commit())
    library = Library.load(folder.root)
    folder.write("a", text("two"))
    later = folder.commit()
    folder.repository.references["refs/tags/v1"].set_target(later)
    assert words(library, "a") == words(library, "a", "v1") == "one"
    with pytest.raises(PromptNotFound):
        library.get("a", str(later))
    assert words(Library.load(folder.root), "a", "v1") == "two"


def test_what_nobody_merged_or_tagged_is_no_version(folder: Folder) -> None:
    folder.write("a", text("one"))
    base = folder.commit()
    folder.write("a", text("proposed"))
    proposed = folder.commit("refs/heads/proposal", [base])
    loose = folder.repository.create_blob(text("loose").encode())
    folder.write("a", text("one"))
    library = Library.load(folder.root)
    for version in (str(proposed), str(loose), "proposal", "refs/heads/proposal", "main", "HEAD"):
        with pytest.raises(PromptNotFound):
            library.get("a", version)
    folder.tag("reviewed", proposed)
    assert words(Library.load(folder.root), "a", str(proposed)) == "proposed"


def test_the_blob_of_another_file_is_no_version(folder: Folder) -> None:
    folder.write("a", text("one"))
    folder.write("b", text("other"))
    folder.commit()
    library = Library.load(folder.root)
    with pytest.raises(PromptNotFound):
        library.get("a", library.get("b").digest)


@pytest.mark.parametrize(
    "version",
    [
        "",
        "v9",
        "0" * 40,
        "0" * 6,
        "HEAD~1",
        "../../x",
        "v1^{tree}",
        "v1:app",
        "@{-1}",
        "\x00",
        "\ud800",
        "é",
        "a" * 10_000,
        "*",
    ],
)
def test_an_unknown_version(folder: Folder, version: str) -> None:
    folder.write("a", text("one"))
    commit = folder.commit()
    folder.tag("v1", commit)
    with pytest.raises(PromptNotFound) as caught:
        Library.load(folder.root).get("a", version)
    assert caught.value.known == (str(commit)[:12],)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("version", [None, "v1"])
@pytest.mark.parametrize(
    "id", ["", "b", "../a", "/etc/passwd", "a/", "a.md.j2", "..", "a\x00", "templates/a", "x/../a", "A" * 10_000]
)
def test_an_unknown_id(folder: Folder, id: str, version: str | None) -> None:
    folder.write("a", text("one"))
    folder.tag("v1", folder.commit())
    with pytest.raises(PromptNotFound) as caught:
        Library.load(folder.root).get(id, version)
    assert caught.value.known == ("a",)
    assert len(str(caught.value)) < 200


def test_a_version_that_no_longer_passes_says_why(folder: Folder) -> None:
    folder.write("a", "---\ncolour: red\n---\n")
    folder.tag("v0", folder.commit())
    folder.write("a", text("one"))
    with pytest.raises(PromptNotFound, match=r"'v0' cannot be used: a\.md\.j2:1: description: Field required"):
        Library.load(folder.root).get("a", "v0")


def test_a_merge_is_a_version_only_where_it_changed_something(folder: Folder) -> None:
    folder.write("a", text("one"))
    base = folder.commit()
    folder.write("a", text("left"))
    left = folder.commit()
    folder.write("a", text("one"))
    folder.write("b", text("right"))
    right = folder.commit("refs/heads/right", [base])
    folder.write("a", text("left"))
    folder.commit("HEAD", [left, right])
    assert [version.commit for version in Library.load(folder.root).versions("a")] == [str(left)[:12], str(base)[:12]]


def test_without_git_the_working_file_is_the_only_version(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/a.md.j2").write_text(text("one"))
    assert pygit2.discover_repository(str(tmp_path)) is None
    library = Library.load(tmp_path)
    assert library.versions("a") == []
    assert words(library, "a", library.get("a").digest) == "one"
    with pytest.raises(PromptNotFound):
        library.get("a", "v1")


def test_a_repository_without_commits(folder: Folder) -> None:
    folder.write("a", text("one"))
    assert Library.load(folder.root).versions("a") == []


def test_a_repository_that_git_refuses_costs_the_versions_only(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write("a", text("one"))
    folder.commit()
    Path(folder.repository.path, "config").write_text("[core\n")
    with caplog.at_level(logging.WARNING):
        library = Library.load(folder.root)
    assert words(library, "a") == "one"
    assert "git refuses to read" in caplog.text


def test_loading_tells_every_fault_of_every_file(folder: Folder) -> None:
    folder.write("good", text("one"))
    folder.write("bad", "---\ncolour: red\n---\n{{ x }}")
    folder.write("worse", "nothing")
    folder.write("two words", text("one"))
    os.symlink("nowhere", folder.root / "templates/gone.md.j2")
    with pytest.raises(LibraryError) as caught:
        Library.load(folder.root)
    assert {fault.path for fault in caught.value.faults} == {
        f"{id}.md.j2" for id in ("bad", "worse", "two words", "gone")
    }
    assert str(caught.value).count("\n") == len(caught.value.faults) - 1


def test_a_folder_without_templates_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="templates: is not a folder"):
        Library.load(tmp_path)
