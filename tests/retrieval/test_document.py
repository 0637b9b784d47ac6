import os
from pathlib import Path

import pytest

from retrieval.document import MAX_BYTES, MAX_HEADING, Facts, Mark, Unreadable, outline, read


def test_read_gives_bytes_and_a_relative_id(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.md").write_bytes(b"\xffraw")
    source = read(tmp_path / "a" / "b.md", tmp_path)
    assert (source.id, source.data) == ("a/b.md", b"\xffraw")


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.md").write_text("text")
    (tmp_path / "link.md").symlink_to("real.md")
    assert read(tmp_path / "link.md", tmp_path).data == b"text"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("outside.md", "link out of the folder"),
        ("circle.md", "leads to itself"),
        ("dangling.md", "cannot be opened"),
        ("pipe.md", "not a regular file"),
        ("huge.md", "larger than 20 MiB"),
        ("folder.md", "not a regular file"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, reason: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.md").write_text("secret")
    (folder / "outside.md").symlink_to(tmp_path / "secret.md")
    (folder / "circle.md").symlink_to(folder / "circle.md")
    (folder / "dangling.md").symlink_to(folder / "nowhere.md")
    os.mkfifo(folder / "pipe.md")
    (folder / "folder.md").mkdir()
    with (folder / "huge.md").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(Unreadable, match=reason) as caught:
        read(folder / name, folder)
    assert caught.value.path == name


def test_headings_nest_by_level_and_offsets_point_at_the_text() -> None:
    text = "intro\nONE\n one \nTWO\ntwo\nDEEP\ndeep\nTHREE\n  \nFOUR\nfour"
    levels = {"ONE": 1, "TWO": 2, "DEEP": 4, "THREE": 3, "FOUR": 2}
    marks = [Mark(level, name, text.index(name), text.index(name) + len(name)) for name, level in levels.items()]
    document = outline("x/name.md", text, marks)
    assert document.title == "ONE"
    assert [(section.heading_path, section.text) for section in document.sections] == [
        (("ONE",), "intro"),
        (("ONE",), "one"),
        (("ONE", "TWO"), "two"),
        (("ONE", "TWO", "DEEP"), "deep"),
        (("ONE", "FOUR"), "four"),
    ]
    assert all(text[section.start :].startswith(section.text) for section in document.sections)


def test_the_title_falls_back_to_what_the_format_knows_and_to_the_name() -> None:
    assert outline("x/name.md", "text", [], Facts("Known")).title == "Known"
    assert outline("x/name.md", "text", []).title == "name"
    assert len(outline("name.md", "text", [Mark(1, "long" * 1000, 0, 0)]).title) == MAX_HEADING
