import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from retrieval.document import Unreadable
from retrieval.ingest.files import File, opened, walk
from retrieval.ingest.rules import Rule


def files(folder: Path) -> dict[str, File]:
    return {file.id: file for file in walk(folder)}


def text(file: File) -> str:
    with opened(file) as descriptor:
        return os.read(descriptor, 100).decode()


def write(path: Path, content: str = "text") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_files_of_known_formats_come_in_order_and_hidden_ones_do_not(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.txt", "a/b/c.py", "a.md", ".git/a.md", "a/.hidden.md", "photo.jpg", "noext", "ä.md"):
        write(tmp_path / name)
    assert list(files(tmp_path)) == ["a.md", "a/b/c.py", "a/z.txt", "b.md", "ä.md"]


def test_rules_and_a_prefix_are_put_on(tmp_path: Path) -> None:
    write(tmp_path / "x" / "a.md")
    (file,) = walk(tmp_path, [Rule("added/x/*", ("hr",), {"k": "v"})], "added/")
    assert (file.id, file.access, file.metadata) == ("added/x/a.md", ("hr",), {"k": "v"})


def test_a_name_that_is_no_utf8_is_spelled_out_and_the_file_read(tmp_path: Path) -> None:
    write(tmp_path / os.fsdecode(b"caf\xe9.md"))
    assert text(files(tmp_path)["caf\\xe9.md"]) == "text"


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "real.md")
    (tmp_path / "link.md").symlink_to("real.md")
    assert text(files(tmp_path)["link.md"]) == "text"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("outside.md", "link out of the folder"),
        ("passwords.txt", "link out of the folder"),
        ("circle.md", "cannot be opened"),
        ("dangling.md", "cannot be opened"),
        ("pipe.md", "not a regular file"),
        ("device.txt", "link out of the folder"),
        ("linked.md", "not a regular file"),
    ],
)
def test_what_is_no_file_of_the_folder_says_why(tmp_path: Path, name: str, reason: str) -> None:
    folder = tmp_path / "folder"
    write(folder / "sub" / "a.md")
    write(tmp_path / "secret.md", "secret")
    (folder / "outside.md").symlink_to(tmp_path / "secret.md")
    (folder / "passwords.txt").symlink_to("/etc/passwd")
    (folder / "device.txt").symlink_to("/dev/zero")
    (folder / "circle.md").symlink_to(folder / "circle.md")
    (folder / "dangling.md").symlink_to(folder / "nowhere.md")
    (folder / "linked.md").symlink_to(folder / "sub", target_is_directory=True)
    os.mkfifo(folder / "pipe.md")
    with pytest.raises(Unreadable, match=reason) as caught:
        text(files(folder)[name])
    assert caught.value.path == name


def test_a_folder_that_is_a_link_is_not_walked(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write(tmp_path / "elsewhere" / "secret.md")
    (folder / "in").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert files(folder) == {}


def test_a_folder_exchanged_for_a_link_while_it_is_read_gives_nothing_from_outside(tmp_path: Path) -> None:
    folder, inside, outside = tmp_path / "folder", tmp_path / "folder" / "a", tmp_path / "outside"
    write(inside / "a.md", "mine")
    write(outside / "a.md", "secret")
    (file,) = walk(folder)
    done = threading.Event()

    def exchange() -> None:
        while not done.is_set():
            inside.rename(tmp_path / "kept")
            inside.symlink_to(outside, target_is_directory=True)
            inside.unlink()
            (tmp_path / "kept").rename(inside)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        for _ in range(2000):
            with suppress(Unreadable):
                assert text(file) == "mine"
    finally:
        done.set()
        thread.join()


def test_folders_deeper_than_a_path_can_say_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    write(tmp_path / "z.md")
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    found = list(files(tmp_path).values())
    assert [bool(file.failure) for file in found] == [True, False]
    assert "File name too long" in found[0].failure
