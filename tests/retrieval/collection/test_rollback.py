from pathlib import Path

import pytest

from retrieval.collection import CorruptCollection, NoCollection, rollback
from tests.retrieval.collection.made import check, documents, loaded, written


def test_the_version_before_comes_back_and_again_the_other(tmp_path: Path) -> None:
    first, second = written(tmp_path, ["a"]), written(tmp_path, ["b"])
    assert rollback(tmp_path) == first
    assert documents(loaded(tmp_path)) == {"a"}
    assert rollback(tmp_path) == second
    check(loaded(tmp_path))


def test_what_is_written_after_a_rollback_builds_on_what_came_back(tmp_path: Path) -> None:
    first, _ = written(tmp_path, ["a"]), written(tmp_path, ["b"])
    rollback(tmp_path)
    written(tmp_path, ["c"])
    assert documents(loaded(tmp_path)) == {"a", "c"}
    assert rollback(tmp_path) == first


def test_without_a_version_before_there_is_nothing_to_go_back_to(tmp_path: Path) -> None:
    with pytest.raises(NoCollection, match="does not exist"):
        rollback(tmp_path / "docs")
    assert not (tmp_path / "docs").exists()
    version = written(tmp_path, ["a"]).version
    with pytest.raises(NoCollection, match="has no version before this one"):
        rollback(tmp_path)
    assert loaded(tmp_path).version == version


def test_a_damaged_version_does_not_come_back(tmp_path: Path) -> None:
    first, second = written(tmp_path, ["a"]), written(tmp_path, ["b"])
    (tmp_path / first.version / "documents.db").write_bytes(b"")
    with pytest.raises(CorruptCollection, match=r"documents\.db"):
        rollback(tmp_path)
    assert loaded(tmp_path).version == second.version
