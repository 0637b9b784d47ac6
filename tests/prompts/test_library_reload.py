"""Reloading: all or nothing, cheap when nothing has changed, and nothing that was a version renders otherwise after."""

import pytest

from prompts.errors import LibraryError, PromptNotFound
from prompts.library import Library
from tests.prompts.folders import Folder, text, words


def partial(folder: Folder, name: str, content: str) -> None:
    path = folder.root / "partials" / f"{name}.md.j2"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)


def test_the_same_library_when_nothing_has_changed(folder: Folder) -> None:
    folder.write("a", text("one"))
    folder.tag("v1", folder.commit())
    library = Library.load(folder.root)
    assert library.reloaded() is library
    folder.write("a", text("one"))  # written anew, the same
    assert library.reloaded() is library


def test_what_changed_is_new_and_the_rest_is_the_same_object(folder: Folder) -> None:
    folder.write("a", text("one"))
    folder.write("b", text("other {% include 'p' %}"))
    partial(folder, "p", "old")
    library = Library.load(folder.root)
    held = library.get("a")
    folder.write("a", text("two"))
    again = library.reloaded()
    assert (words(again, "a"), words(library, "a"), held.render({})[0]["content"]) == ("two", "one", "one")
    assert again.get("b") is library.get("b")
    partial(folder, "p", "new")
    assert words(again.reloaded(), "b") == "other new"
    assert words(again, "b") == "other old"


def test_a_fault_keeps_everything_and_tells_all(folder: Folder) -> None:
    folder.write("a", text("one"))
    folder.write("b", text("other"))
    library = Library.load(folder.root)
    folder.write("a", text("two"))
    folder.write("b", text("{{ gone }}"))
    folder.write("c", "nothing")
    with pytest.raises(LibraryError) as caught:
        library.reloaded()
    assert [fault.path for fault in caught.value.faults] == ["templates/b.md.j2", "templates/c.md.j2"]
    assert (words(library, "a"), library.ids()) == ("one", ["a", "b"])


def test_new_commits_and_tags_become_versions(folder: Folder) -> None:
    folder.write("a", text("one"))
    first = folder.commit()
    library = Library.load(folder.root)
    folder.write("a", text("two"))
    second = folder.commit()
    folder.tag("v2", second)
    again = library.reloaded()
    assert (words(again, "a", "v2"), words(again, "a", str(first)[:9])) == ("two", "one")
    assert [revision.commit for revision in again.versions("a")] == [str(second)[:12], str(first)[:12]]


def test_a_tag_that_was_moved_or_deleted_stays_and_is_told(folder: Folder) -> None:
    folder.write("a", text("one"))
    first = folder.commit()
    folder.tag("v1", first)
    folder.tag("v2", first)
    library = Library.load(folder.root)
    folder.write("a", text("two"))
    second = folder.commit()
    folder.repository.references["refs/tags/v1"].set_target(second)
    folder.repository.references.delete("refs/tags/v2")
    again = library.reloaded()
    assert (words(again, "a", "v1"), words(again, "a", "v2")) == ("one", "one")
    assert [str(note).split(";")[0] for note in again.notes] == [
        f"refs/tags/v1: was moved to {str(second)[:12]}",
        "refs/tags/v2: was deleted",
    ]
    assert again.reloaded() is again


def test_a_rewritten_history_keeps_what_was_a_version(folder: Folder) -> None:
    folder.write("a", text("one"))
    base = folder.commit()
    folder.write("a", text("two"))
    lost = folder.commit()
    library = Library.load(folder.root)
    folder.repository.references["refs/heads/main"].set_target(base)
    folder.write("a", text("three"))
    folder.commit()
    again = library.reloaded().reloaded()
    assert (words(again, "a"), words(again, "a", str(lost))) == ("three", "two")
    with pytest.raises(PromptNotFound):
        Library.load(folder.root).get("a", str(lost))


def test_a_damaged_repository_costs_new_versions_only(folder: Folder) -> None:
    folder.write("a", text("one"))
    first = folder.commit()
    library = Library.load(folder.root)
    folder.write("a", text("two"))
    second = str(folder.commit())
    damaged = folder.root.parents[1] / ".git/objects" / second[:2] / second[2:]
    damaged.chmod(0o600)
    damaged.write_bytes(b"no object")
    again = library.reloaded()
    assert (words(again, "a"), words(again, "a", str(first))) == ("two", "one")
    assert "git refuses to read its repository" in str(again.notes[0])


def test_a_lost_commit_is_told_by_who_asks_for_it(folder: Folder) -> None:
    folder.write("a", text("one"))
    first = str(folder.commit())
    folder.write("a", text("two"))
    folder.commit()
    library = Library.load(folder.root)
    kept = library.get("a", first[:8])
    (folder.root.parents[1] / ".git/objects" / kept.digest[:2] / kept.digest[2:]).unlink()
    assert library.get("a", first[:8]) is kept
    with pytest.raises(PromptNotFound, match=r"cannot be used: .*git has lost"):
        Library.load(folder.root).get("a", first)


def test_latest_is_what_naming_none_is(folder: Folder) -> None:
    folder.write("a", text("one"))
    library = Library.load(folder.root)
    assert library.get("a", "latest") is library.get("a")


def test_a_tag_of_one_template_goes_before_a_tag_of_all(folder: Folder) -> None:
    folder.write("a", text("one"))
    folder.write("b", text("one"))
    folder.tag("v1", folder.commit())
    folder.write("a", text("two"))
    folder.write("b", text("two"))
    folder.tag("a/v1", folder.commit())
    library = Library.load(folder.root)
    assert (words(library, "a", "v1"), words(library, "b", "v1")) == ("two", "one")
    assert (library.get("a", "v1").version, library.get("a", "a/v1").version) == ("v1", "a/v1")


def test_a_version_is_all_that_it_is_made_of(folder: Folder) -> None:
    folder.write("a", text("says {% include 'p' %}"))
    partial(folder, "p", "one")
    first = str(folder.commit())
    partial(folder, "p", "two")
    second = str(folder.commit())
    library = Library.load(folder.root)
    old, new = library.get("a", first), library.get("a", second)
    assert (old.render({})[0]["content"], new.render({})[0]["content"]) == ("says one", "says two")
    assert old.digest != new.digest == library.get("a").digest
    revisions = library.versions("a")
    assert [(r.commit, r.digest) for r in revisions] == [(second[:12], new.digest), (first[:12], old.digest)]
    assert library.get("a", old.digest).render({}) == old.render({})
    with pytest.raises(PromptNotFound):  # the file alone names both
        library.get("a", revisions[0].file)
