import shutil
import sqlite3
from pathlib import Path

import pytest

from retrieval.ingest.seen import Cache, Seen

ONE = Seen("a.md", "", b"signature")


def test_what_was_put_is_there_the_next_time(tmp_path: Path) -> None:
    with Cache(tmp_path / "ingest.db") as cache:
        cache.put("f1", ONE)
    with Cache(tmp_path / "ingest.db") as cache:
        assert (cache.get("f1"), cache.get("f2")) == (ONE, None)
        assert ("f1" in cache, "f2" in cache, list(cache), len(cache)) == (True, False, ["f1"], 1)


def test_what_is_not_there_any_more_is_forgotten(tmp_path: Path) -> None:
    with Cache(tmp_path / "ingest.db") as cache:
        cache.put("f1", ONE)
        cache.put("f2", ONE)
        assert cache.is_new("a.md", "f2")
        assert not cache.is_new("a.md", "f1")
        cache.forget_others()
    with Cache(tmp_path / "ingest.db") as cache:
        assert list(cache) == ["f2"]
        assert not cache.is_there("a.md")  # presence is of one build


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "ingest.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with Cache(tmp_path / "ingest.db") as cache:
        cache.put("f1", ONE)
        assert list(cache) == ["f1"]


def test_what_was_put_before_a_crash_is_kept_but_for_the_last(tmp_path: Path) -> None:
    with Cache(tmp_path / "ingest.db") as cache:
        for number in range(1200):
            cache.put(f"f{number}", ONE)
        shutil.copytree(tmp_path, tmp_path / "as a crash leaves it")
    with Cache(tmp_path / "as a crash leaves it" / "ingest.db") as crashed:
        assert len(crashed) >= 500


def test_a_page_that_was_damaged_makes_it_anew(tmp_path: Path) -> None:
    path = tmp_path / "ingest.db"
    with Cache(path) as cache:
        for number in range(2000):
            cache.put(f"f{number}", ONE)
    data = bytearray(path.read_bytes())
    data[8192:12288] = b"\xaa" * 4096
    path.write_bytes(data)
    with Cache(path) as cache:
        assert list(cache) == []


def test_one_in_use_is_not_taken_for_damaged(tmp_path: Path) -> None:
    with Cache(tmp_path / "ingest.db") as cache:
        cache.put("f1", ONE)
        with pytest.raises(sqlite3.OperationalError, match="locked"), Cache(tmp_path / "ingest.db", patience_s=0):
            pass
    with Cache(tmp_path / "ingest.db") as cache:
        assert list(cache) == ["f1"]
