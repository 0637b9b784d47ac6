"""The library: ids, snapshots, what it refuses, how it does without git. Versions: `test_library_versions.py`."""

import logging
import os
from pathlib import Path

import pygit2
import pytest

from prompts.errors import Fault, LibraryError, PromptNotFound
from prompts.library import Library
from tests.prompts.folders import Folder, text, words


def test_ids_may_have_parts(folder: Folder) -> None:
    folder.write("a", text("one"))
    folder.write("support/answer", text("two"))
    library = Library.load(folder.root)
    assert library.ids() == ["a", "support/answer"]
    assert words(library, "support/answer") == "two"


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
        f"templates/{id}.md.j2" for id in ("bad", "worse", "two words", "gone")
    }
    assert str(caught.value).count("\n") == len(caught.value.faults) - 1


def test_faults_are_told_in_the_order_of_files_and_lines(folder: Folder) -> None:
    folder.write(
        "b",
        "---\ndescription: d\nvariables: {}\n---\n"
        '{% message role="user" %}{{ b }}\n{{ a }}{% endmessage %}\n',
    )  # fmt: skip
    folder.write("sub/a", "+++\nquestion = 1\n+++\n{% if %}\n")
    (folder.root / "templates/notes.txt").write_text("not a template")
    with pytest.raises(LibraryError) as caught:
        Library.load(folder.root)
    assert list(caught.value.faults) == [
        Fault("templates/b.md.j2", 5, "b is not a declared variable"),
        Fault("templates/b.md.j2", 6, "a is not a declared variable"),
        Fault("templates/sub/a.md.j2", 1, "description: Field required"),
        Fault("templates/sub/a.md.j2", 1, "variables: Field required"),
        Fault("templates/sub/a.md.j2", 2, "question: Input should be a valid string"),
        Fault("templates/sub/a.md.j2", 4, "Expected an expression, got 'end of statement block'"),
    ]
    assert str(caught.value.faults[0]) == "templates/b.md.j2:5: b is not a declared variable"


def test_a_folder_without_templates_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="templates: is not a folder"):
        Library.load(tmp_path)
