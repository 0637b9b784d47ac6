from pathlib import Path

import pytest

from retrieval.collection.entries import Entries, Entry, Listing, connect


def test_entries_are_listed_by_id(tmp_path: Path) -> None:
    listing = Listing(tmp_path / "documents.db")
    for entry in (Entry("b", "1"), Entry("ä", "2", "Ä"), Entry("a", "3", failure="is broken"), Entry("b", "4")):
        listing.note(entry)
    listing.drop("unknown")
    listing.close()
    listing.close()
    entries = Entries(connect(tmp_path / "documents.db"))
    assert list(entries) == ["a", "b", "ä"]
    assert list(entries.values()) == [Entry("a", "3", failure="is broken"), Entry("b", "4"), Entry("ä", "2", "Ä")]
    assert dict(entries.items()) == {entry.id: entry for entry in entries.values()}
    assert (len(entries), entries.failed(), "b" in entries, "c" in entries) == (3, 1, True, False)
    with pytest.raises(KeyError):
        entries["c"]


def test_only_what_differs_is_a_change(tmp_path: Path) -> None:
    listing = Listing(tmp_path / "documents.db")
    listing.note(Entry("a", "1"))
    assert listing.changed
    listing.close()
    again = Listing(tmp_path / "documents.db")
    again.note(Entry("a", "1"))
    again.drop("b")
    assert not again.changed
    again.drop("a")
    assert again.changed


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "100% of #1? ü"
    folder.mkdir()
    Listing(folder / "documents.db").close()
    assert len(Entries(connect(folder / "documents.db"))) == 0
