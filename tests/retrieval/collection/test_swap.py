"""Versions that come and go while others search: no search fails, and each sees one whole version."""

import random
import threading
from pathlib import Path

import pytest

from retrieval.collection import Collection, layout, rollback
from retrieval.query import Scope
from tests.retrieval.collection.made import loaded, vector, written

ENOUGH_S = 120  # for a search of a new version on a machine that is busy with others


class Searcher(threading.Thread):
    """Searches until told to stop, a new version as soon as it is there, as a gateway does."""

    def __init__(self, path: Path, seed: int) -> None:
        super().__init__(daemon=True)
        self.stopped = threading.Event()
        self.seen = threading.Condition()
        self.versions = {""}
        self.failures: list[BaseException] = []
        self._path, self._at = path, random.Random(seed)

    def run(self) -> None:
        try:
            collection = loaded(self._path)
            while not self.stopped.is_set():
                if layout.current(self._path) != collection.version:
                    collection = loaded(self._path)
                self._search(collection)
                with self.seen:
                    self.versions.add(collection.version)
                    self.seen.notify_all()
        except BaseException as error:
            self.failures.append(error)
            raise

    def wait_for(self, version: str) -> None:
        with self.seen:
            assert self.seen.wait_for(lambda: version in self.versions, ENOUGH_S), self.failures

    def _search(self, collection: Collection) -> None:
        some = vector(str(self._at.random()))
        dense = collection.dense(some, 10, Scope())
        words = collection.lexical("words", 10, Scope())
        assert len(dense.rows) == len(words.rows) == 10
        for passage in collection.passages([*dense.rows.tolist(), *words.rows.tolist()]):
            assert passage.text.startswith(f"words of {passage.document}")
        assert collection.around(int(dense.rows[0]))


def change(path: Path, searchers: list[Searcher], times: int, count: int) -> None:
    """Add documents of `count` passages and remove others, so that parts are merged now and then, and roll back."""
    for number in range(times):
        gone = [f"d{number - 2}"] if number % 3 == 2 else []
        version = rollback(path) if number % 4 == 3 else written(path, [f"d{number}"], remove=gone, count=count)
        for searcher in searchers:
            searcher.wait_for(version.version)


def changed_while_searched(path: Path, large: int, times: int, count: int) -> None:
    written(path, ["large"], count=large)
    searchers = [Searcher(path, seed) for seed in range(3)]
    for searcher in searchers:
        searcher.start()
    try:
        change(path, searchers, times, count)
    finally:
        for searcher in searchers:
            searcher.stopped.set()
            searcher.join(ENOUGH_S)
    assert [searcher.failures for searcher in searchers] == [[], [], []]
    assert not any(searcher.is_alive() for searcher in searchers)


def test_no_search_fails_while_versions_change(tmp_path: Path) -> None:
    changed_while_searched(tmp_path, large=60, times=5, count=3)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_no_search_fails_while_ten_thousand_come_and_go(tmp_path: Path) -> None:
    changed_while_searched(tmp_path, large=100_000, times=8, count=10_000)
