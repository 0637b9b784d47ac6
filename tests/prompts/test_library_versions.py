"""The versions of a prompt: what git's history offers, by which names, and what is none."""

from datetime import UTC, datetime

import pygit2
import pytest

from prompts.errors import PromptNotFound
from prompts.library import Library
from tests.prompts.folders import AUTHOR, Folder, text, words


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


def test_a_version_that_no_longer_passes_says_why(folder: Folder) -> None:
    folder.write("a", "---\ncolour: red\n---\n")
    folder.tag("v0", folder.commit())
    folder.write("a", text("one"))
    with pytest.raises(
        PromptNotFound, match=r"'v0' cannot be used: templates/a\.md\.j2:1: description: Field required"
    ):
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
