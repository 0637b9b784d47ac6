from pathlib import Path

import pytest

from retrieval.collection import Collection, CorruptCollection, digests, files
from tests.retrieval.collection.made import EMBEDDER, check, loaded, written

SOME = [f"d{number}" for number in range(30)]


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGE", 0)


def inodes(version: Path) -> dict[str, int]:
    return {str(path.relative_to(version)): path.stat().st_ino for path in version.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("all_large")
def test_large_files_that_stay_are_links_and_mapped(tmp_path: Path) -> None:
    first = tmp_path / written(tmp_path, SOME).version
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    second = tmp_path / written(tmp_path, ["new"], remove=["d3"], count=1).version
    shared = {name for name, inode in inodes(second).items() if inodes(first).get(name) == inode}
    assert shared >= {"0.passages.db", "0.vectors.faiss", "0.kinds.npy"}
    assert any(name.startswith("lexical/") for name in shared)
    assert not shared & {"documents.db", "removed.npy", "manifest.json", "lexical/meta.json"}
    assert {path: path.read_bytes() for path in before} == before  # nothing was written to
    collection = loaded(tmp_path)
    for version in (first, second):
        for path in version.rglob("*.*"):
            path.unlink()
    check(collection)


@pytest.mark.usefixtures("all_large")
def test_a_link_to_a_damaged_file_is_found_at_load(tmp_path: Path) -> None:
    first = written(tmp_path, SOME).version
    name = tmp_path / first / "0.vectors.faiss"
    with files.opened(tmp_path / first, {}):
        second = written(tmp_path, ["new"], count=1).version
    name.write_bytes(name.read_bytes()[:-1] + b"\x07")
    for version in (first, second):
        with pytest.raises(CorruptCollection, match=r"0\.vectors\.faiss was altered"):
            Collection.open(tmp_path, version, EMBEDDER)


def test_small_files_that_stay_are_copies(tmp_path: Path) -> None:
    first = tmp_path / written(tmp_path, SOME).version
    second = tmp_path / written(tmp_path, ["new"], count=1).version
    assert not set(inodes(first).values()) & set(inodes(second).values())


def test_a_file_that_was_altered_is_not_carried_over(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "a").write_bytes(b"abc")
    digest = digests.of_file(tmp_path / "a")
    files.carry(tmp_path, tmp_path / "new", {"a": digest})
    assert (tmp_path / "new" / "a").read_bytes() == b"abc"
    (tmp_path / "a").write_bytes(b"abd")
    with pytest.raises(ValueError, match=r"a was altered after it was written \(3 bytes\)"):
        files.carry(tmp_path, tmp_path / "new", {"a": digest})


@pytest.mark.usefixtures("all_large")
def test_where_there_are_no_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    written(tmp_path, SOME)
    written(tmp_path, ["new"], count=1)
    check(loaded(tmp_path))
