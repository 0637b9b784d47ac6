import os
from pathlib import Path

import pytest

from retrieval.collection import Collection
from retrieval.embed import Embedder
from retrieval.ingest import NothingToIndex, NotThere, add, build, byhand, remove
from tests.retrieval.ingest.test_build import Folder

OUTSIDE = "# Outside\n\nA document from elsewhere about whales.\n"


@pytest.fixture
def documents(tmp_path: Path, embedder: Embedder) -> Folder:
    folder = Folder(tmp_path, embedder)
    folder.write("a.md", "# A\n\nText of the page.\n")
    folder.write("b.jsonl", '{"id": "x", "text": "First of the lines."}\n{"id": "y", "text": "Second one."}\n')
    (tmp_path / "outside.md").write_text(OUTSIDE)
    folder.build()
    return folder


def test_what_is_added_survives_builds_until_it_is_removed(documents: Folder, tmp_path: Path) -> None:
    assert add(documents.source, documents.target, [tmp_path / "outside.md"]) == ["added/outside.md"]
    (tmp_path / "outside.md").unlink()
    documents.build()
    documents.write("c.md", "# C\n\nAnother page.\n")
    documents.build()
    assert "added/outside.md" in documents.passages()
    remove(documents.target, ["added/outside.md"], documents.load().entries())
    documents.build()
    assert set(documents.passages()) == {"a.md", "b.jsonl/x", "b.jsonl/y", "c.md"}
    assert not (documents.source / "outside.md").exists()


def test_what_is_removed_stays_out_until_it_is_added_again(documents: Folder) -> None:
    remove(documents.target, ["a.md", "b.jsonl/x"], documents.load().entries())
    documents.build()
    documents.write("a.md", "# A\n\nText of the page, changed.\n")
    documents.build()
    assert set(documents.passages()) == {"b.jsonl/y"}
    assert (documents.source / "a.md").exists()
    assert add(documents.source, documents.target, [documents.source / "a.md"]) == ["a.md"]
    documents.build()
    assert set(documents.passages()) == {"a.md", "b.jsonl/y"}


def test_a_whole_file_of_documents_is_removed_by_its_name(documents: Folder) -> None:
    remove(documents.target, ["b.jsonl"], documents.load().entries())
    documents.build()
    assert set(documents.passages()) == {"a.md"}


def test_labels_and_metadata_given_with_a_file_are_kept_and_replaced(documents: Folder, tmp_path: Path) -> None:
    add(documents.source, documents.target, [tmp_path / "outside.md"], ["hr"], {"team": "x"})
    documents.build()
    found = documents.passages()["added/outside.md"]
    assert (found.access, found.metadata) == (("hr",), {"team": "x"})
    add(documents.source, documents.target, [tmp_path / "outside.md"])
    documents.build()
    assert documents.passages()["added/outside.md"].access == ()


def test_labels_hold_where_the_collection_lies_in_its_folder_of_documents(documents: Folder, tmp_path: Path) -> None:
    target = documents.source / "collections" / "docs"
    add(documents.source, target, [tmp_path / "outside.md"], ["hr"])
    build(documents.source, target, documents.embedder, lambda step: None)
    loaded = Collection.load(target, documents.embedder.identity)
    found = {one.document: one.access for one in loaded.passages(loaded.rows().tolist())}
    assert found == {"a.md": (), "b.jsonl/x": (), "b.jsonl/y": (), "added/outside.md": ("hr",)}


def test_labels_hold_for_a_name_that_is_no_unicode(documents: Folder, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.md")).write_text(OUTSIDE)
    (name,) = add(documents.source, documents.target, [tmp_path / os.fsdecode(b"\xff.md")], ["hr"])
    documents.build()
    assert documents.passages()[name].access == ("hr",)
    remove(documents.target, [name, name], documents.load().entries())
    documents.build()
    assert name not in documents.passages()


def test_the_last_document_can_be_removed(documents: Folder, tmp_path: Path) -> None:
    add(documents.source, documents.target, [tmp_path / "outside.md"])
    documents.build()
    remove(documents.target, ["a.md", "b.jsonl", "added/outside.md"], documents.load().entries())
    for _ in range(2):
        documents.build()
        assert len(documents.load()) == 0
    documents.write("c.md", "# C\n\nAnother page.\n")
    documents.build()
    assert set(documents.passages()) == {"c.md"}


def test_what_vanished_by_itself_empties_no_collection(documents: Folder) -> None:
    remove(documents.target, ["a.md"], documents.load().entries())
    (documents.source / "b.jsonl").unlink()
    with pytest.raises(NothingToIndex):
        documents.build()
    assert set(documents.passages()) == {"a.md", "b.jsonl/x", "b.jsonl/y"}


def test_a_collection_needs_no_folder_of_documents(tmp_path: Path, embedder: Embedder) -> None:
    (tmp_path / "outside.md").write_text(OUTSIDE)
    target = tmp_path / "built"
    add(None, target, [tmp_path / "outside.md"])
    assert build(None, target, embedder, lambda step: None).documents == 1


def test_what_is_not_there_changes_nothing(documents: Folder, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    before = byhand.load(documents.target)
    (tmp_path / ".hidden.md").write_text("text")
    for file in (tmp_path / "absent.md", tmp_path / "photo.jpg", tmp_path / ".hidden.md", tmp_path):
        with pytest.raises(NotThere, match="no file of a known format"):
            add(documents.source, documents.target, [tmp_path / "outside.md", file])
    with pytest.raises(NotThere, match="have the same name"):
        add(documents.source, documents.target, [tmp_path / "outside.md", tmp_path / "outside.md"])
    with pytest.raises(NotThere, match="no document 'absent'"):
        remove(documents.target, ["a.md", "absent"], documents.load().entries())
    assert byhand.load(documents.target) == before
    assert not byhand.folder(documents.target).exists()


def test_a_damaged_list_is_an_error_and_shows_nothing_to_all(documents: Folder) -> None:
    (documents.target / byhand.LIST).write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        documents.build()
