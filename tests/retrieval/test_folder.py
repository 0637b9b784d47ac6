import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from retrieval import folder
from retrieval.folder import Damaged

FILES = {"index": bytes(range(256)) * 4, "passages": b'{"text": "a"}\n' * 20}


def written(path: Path, number: int = 1) -> Path:
    """A folder with one version; the path of that version."""
    with folder.exclusive(path):
        contents = folder.write(path, {"number": number}, FILES)
    return path / contents.version


def test_what_was_written_is_read(tmp_path: Path) -> None:
    version = written(tmp_path / "new" / "collection")
    contents = folder.read(tmp_path / "new" / "collection")
    assert (contents.version, contents.facts, contents.files) == (version.name, {"number": 1}, FILES)


def test_the_version_is_a_digest_of_facts_and_files(tmp_path: Path) -> None:
    assert written(tmp_path / "a").name == written(tmp_path / "b").name != written(tmp_path / "c", 2).name


def test_nothing_written_yet_is_not_damage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        folder.read(tmp_path)


@pytest.mark.parametrize("name", ["index", "passages", "manifest.json", "../CURRENT"])
def test_every_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    path = written(tmp_path) / name
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        try:
            contents = folder.read(tmp_path)
        except Damaged:
            continue
        assert contents.facts == {"number": 1}  # white space that says the same
        assert contents.files == FILES


@pytest.mark.parametrize("name", ["index", "passages", "manifest.json", "../CURRENT"])
def test_a_cut_or_missing_file_is_found(tmp_path: Path, name: str) -> None:
    path = written(tmp_path) / name
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 2):
        path.write_bytes(whole[:length])
        with pytest.raises(Damaged):
            folder.read(tmp_path)
    path.unlink()
    with pytest.raises((Damaged, FileNotFoundError)):
        folder.read(tmp_path)


@pytest.mark.parametrize("manifest", ["[]", "null", '"x"', '{"files": 3}', '{"files": {"/etc/passwd": "x"}}', "{"])
def test_a_manifest_of_another_kind_is_damage(tmp_path: Path, manifest: str) -> None:
    (written(tmp_path) / "manifest.json").write_text(manifest)
    with pytest.raises(Damaged):
        folder.read(tmp_path)


def test_writing_again_repairs_damage(tmp_path: Path) -> None:
    version = written(tmp_path)
    (version / "index").write_bytes(b"")
    written(tmp_path)
    assert folder.read(tmp_path).files == FILES


def test_old_versions_and_drafts_go_but_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / ".draft-left").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "notes.md").write_text("mine")
    versions = [written(tmp_path, number).name for number in range(3)]
    assert {path.name for path in tmp_path.iterdir()} == {"CURRENT", "LOCK", "photos", "notes.md", *versions[1:]}


def test_a_second_writer_waits_for_the_first(tmp_path: Path) -> None:
    entered = threading.Event()

    def second() -> None:
        with folder.exclusive(tmp_path):
            entered.set()

    with folder.exclusive(tmp_path):
        writer = threading.Thread(target=second)
        writer.start()
        assert not entered.wait(0.2)
    assert entered.wait(30)
    writer.join()


WRITER = """
import sys
from itertools import count
from pathlib import Path
from retrieval import folder
path = Path(sys.argv[1])
for number in count():
    with folder.exclusive(path):
        folder.write(path, {"number": number % 2}, {"index": b"%d" % (number % 2) * 100_000})
    print(number, flush=True)
"""


def test_a_reader_beside_a_writer_that_is_killed_sees_whole_versions_only(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=root)
        assert writer.stdout
        writer.stdout.readline()
        for _ in range(50):
            contents = folder.read(tmp_path)
            assert contents.files["index"] == b"%d" % contents.facts["number"] * 100_000
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert len(folder.read(tmp_path).files["index"]) == 100_000
    written(tmp_path)
    written(tmp_path, 2)
    assert not list(tmp_path.glob(".draft-*"))


def test_the_manifest_is_readable_by_people(tmp_path: Path) -> None:
    manifest = json.loads((written(tmp_path) / "manifest.json").read_text())
    assert manifest["facts"] == {"number": 1}
    assert set(manifest["files"]) == set(FILES)
