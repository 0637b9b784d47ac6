"""A repository as the source: mirrored, never checked out, and what was good stays whatever becomes of the remote."""

import shutil
import subprocess
from pathlib import Path

import pygit2
import pytest

from prompts.errors import LibraryError, PromptNotFound
from prompts.library import Library
from prompts.remote import Remote
from tests.prompts.folders import Folder, text, words


class Published:
    """A repository that a test commits to, and a library that follows it by its URL or path."""

    def __init__(self, place: Path) -> None:
        self.place = place / "work"
        self.work = Folder(self.place)
        self.mirror = place / "state" / "prompts.git"

    def source(self, branch: str | None = None, url: str | None = None) -> Remote:
        return Remote(url or self.place.as_uri(), self.mirror, branch, "app/prompts")

    def say(self, words: str, tag: str | None = None) -> str:
        self.work.write("a", text(words))
        commit = self.work.commit()
        if tag:
            self.work.tag(tag, commit)
        return str(commit)


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path)


def test_the_branch_is_followed_and_its_versions_are_known(published: Published) -> None:
    first = published.say("one", "v1")
    library = Library.open(published.source())
    assert (words(library, "a"), words(library, "a", "v1"), words(library, "a", first[:10])) == ("one", "one", "one")
    published.say("two")
    assert words(library, "a") == "one"
    again = library.reloaded()
    assert (words(again, "a"), words(again, "a", "v1")) == ("two", "one")
    assert again.reloaded() is again


def test_what_is_not_committed_is_not_seen_and_nothing_is_checked_out(published: Published) -> None:
    published.say("one")
    published.work.write("a", text("not committed"))
    assert words(Library.open(published.source()), "a") == "one"
    assert not list(published.mirror.rglob("*.j2"))


def test_a_path_and_another_branch(published: Published) -> None:
    published.say("one")
    base = published.work.repository.head.peel(pygit2.Commit).id
    published.work.write("a", text("canary"))
    published.work.commit("refs/heads/canary", [base])
    library = Library.open(published.source("canary", str(published.place)))
    assert words(library, "a") == "canary"
    with pytest.raises(LibraryError, match="has no branch gone"):
        Library.open(published.source("gone"))


def test_a_rewritten_branch_is_not_followed(published: Published) -> None:
    base = published.say("one")
    kept = published.say("two")
    library = Library.open(published.source())
    published.work.repository.references["refs/heads/main"].set_target(base)
    published.say("rewritten")
    with pytest.raises(LibraryError, match=f"its branch was rewritten: .* does not follow {kept[:12]}, which is kept"):
        library.reloaded()
    assert words(library, "a") == "two"
    started = Library.open(published.source())
    assert (words(started, "a"), words(started, "a", kept)) == ("two", "two")
    assert "was rewritten" in str(started.notes[0])
    shutil.rmtree(published.mirror)  # as the fault says
    assert words(Library.open(published.source()), "a") == "rewritten"


def test_tags_stay_where_they_were_over_a_restart(published: Published) -> None:
    published.say("one", "v1")
    Library.open(published.source())
    second = published.say("two")
    tags = published.work.repository.references
    tags["refs/tags/v1"].set_target(second)
    started = Library.open(published.source())
    assert words(started, "a", "v1") == "one"
    assert f"refs/tags/v1: was moved to {second[:12]}" in str(started.notes[0])
    tags.delete("refs/tags/v1")
    published.say("three", "v1/final")
    again = started.reloaded()
    assert (words(again, "a", "v1"), words(again, "a", "v1/final")) == ("one", "three")
    assert "refs/tags/v1: was deleted" in str(again.notes[0])


def test_a_remote_out_of_reach_keeps_what_was_loaded(published: Published) -> None:
    published.say("one", "v1")
    library = Library.open(published.source())
    published.place.rename(published.place.with_name("away"))
    with pytest.raises(LibraryError, match="cannot be fetched"):
        library.reloaded()
    started = Library.open(published.source())
    assert (words(started, "a"), words(started, "a", "v1")) == ("one", "one")
    assert "cannot be fetched" in str(started.notes[0])


def test_without_a_mirror_a_remote_out_of_reach_is_a_fault(published: Published) -> None:
    with pytest.raises(LibraryError, match=r"https://127\.0\.0\.1:1/x: cannot be fetched: .*refused"):
        Library.open(published.source(url="https://127.0.0.1:1/x"))


def test_a_damaged_remote_keeps_what_was_loaded(published: Published) -> None:
    published.say("one")
    library = Library.open(published.source())
    second = published.say("two")
    damaged = published.place / ".git/objects" / second[:2] / second[2:]
    damaged.chmod(0o600)
    damaged.write_bytes(b"no object")
    with pytest.raises(LibraryError):
        library.reloaded()
    assert words(Library.open(published.source()), "a") == "one"


def test_a_start_after_a_faulty_commit_serves_the_last_good_one(published: Published) -> None:
    published.say("one")
    library = Library.open(published.source())
    published.say("{{ gone }}")
    with pytest.raises(LibraryError, match="gone is not a declared variable"):
        library.reloaded()
    started = Library.open(published.source())
    assert words(started, "a") == "one"
    assert "gone is not a declared variable" in str(started.notes[0])
    published.say("mended")
    assert words(started.reloaded(), "a") == "mended"


def test_a_folder_that_is_not_there_is_a_fault(published: Published) -> None:
    published.say("one")
    with pytest.raises(LibraryError, match="has no folder templates at"):
        Library.open(Remote(str(published.place), published.mirror, None, "elsewhere"))


def test_a_bare_repository_packed_by_git(published: Published, tmp_path: Path) -> None:
    first = published.say("one", "v1")
    published.say("two")
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(published.place), str(bare)], check=True)
    subprocess.run(["git", "-C", str(bare), "gc", "-q"], check=True)
    library = Library.open(published.source(url=bare.as_uri()))
    assert (words(library, "a"), words(library, "a", first)) == ("two", "one")
    with pytest.raises(PromptNotFound):
        library.get("a", "0" * 40)


def test_a_mirror_that_cannot_be_made_is_a_fault(published: Published) -> None:
    published.say("one")
    published.mirror.parent.write_text("a file")
    with pytest.raises(LibraryError, match="its mirror is"):
        Library.open(published.source())


def test_no_text_of_a_source_holds_its_key() -> None:
    assert "secret" not in repr(Remote("https://127.0.0.1:1/x", Path("m"), key="user:secret"))
