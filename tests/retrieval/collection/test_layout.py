from pathlib import Path

import pytest

from retrieval.collection import layout

A, B, C = "a" * 16, "b" * 16, "c" * 16


def test_the_current_version_and_those_to_fall_back_on(tmp_path: Path) -> None:
    for version in (A, B, C):
        (tmp_path / version).mkdir()
    layout.point(tmp_path, [B, A])
    assert (layout.current(tmp_path), layout.others(tmp_path)) == (B, [A])
    (tmp_path / B).rmdir()
    assert layout.others(tmp_path) == [C, A]  # the newest first: the order is lost


@pytest.mark.parametrize("content", ["", "\n", "nonsense", f"{A}/..", A.upper(), f"{A} x"])
def test_an_altered_pointer_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "CURRENT").write_text(content)
    with pytest.raises(ValueError, match="CURRENT was altered"):
        layout.current(tmp_path)


def test_a_draft_becomes_a_version_in_place_of_what_was_left_there(tmp_path: Path) -> None:
    for folder, content in ((layout.DRAFT, "new"), (A, "old")):
        (tmp_path / folder / "in").mkdir(parents=True)
        (tmp_path / folder / "in" / "file").write_text(content)
    layout.place(tmp_path / layout.DRAFT, tmp_path / A)
    assert (tmp_path / A / "in" / "file").read_text() == "new"
    assert not (tmp_path / layout.DRAFT).exists()


def test_only_versions_and_drafts_are_deleted(tmp_path: Path) -> None:
    for name in (A, B, layout.DRAFT, layout.INTERRUPTED, "photos", "a" * 15, "A" * 16):
        (tmp_path / name).mkdir()
    (tmp_path / C).write_text("a file")
    layout.prune(tmp_path, [B])
    assert {path.name for path in tmp_path.iterdir()} == {B, C, "photos", "a" * 15, "A" * 16}
