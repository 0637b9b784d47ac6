"""A writer that is killed at any moment: what is served is whole, the old version or the new one."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from retrieval.collection import NoCollection
from tests.retrieval.collection.made import check, documents, loaded

ROOT = Path(__file__).parents[3]
# Changes a collection for ever, and says which change is under way.
WRITER = """
import sys
from itertools import count
from pathlib import Path
from retrieval.collection import rollback
from tests.retrieval.collection.made import written
from tests.retrieval.collection.test_killed import LARGE, rolls_back, with_large

path, first = Path(sys.argv[1]), int(sys.argv[2])
for number in count(first):
    print("start", number, flush=True)
    if rolls_back(number):
        rollback(path)
    else:
        written(path, [f"change{number}", *[LARGE] * with_large(number)], remove=[LARGE], count=20)
    print("done", number, flush=True)
"""
LARGE = "large"  # it comes and goes, so that parts are merged
Documents = frozenset[str]


def rolls_back(number: int) -> bool:
    return number % 5 == 4


def with_large(number: int) -> bool:
    return number % 3 == 0


@dataclass(frozen=True)
class Expected:
    """The documents of the current version and of the one before; None where there is none."""

    current: Documents = frozenset()
    before: Documents | None = None

    def changed(self, number: int) -> "Expected":
        if not rolls_back(number):
            stays = self.current - {LARGE}
            return Expected(stays | {f"change{number}"} | ({LARGE} if with_large(number) else set()), self.current)
        return Expected(self.before, self.current) if self.before else self


def served(path: Path) -> Documents:
    """The documents that are served, once everything was found whole; none where nothing was built."""
    try:
        collection = loaded(path)
    except NoCollection:
        return frozenset()
    check(collection)
    return frozenset(documents(collection))


def killed(path: Path, first: int, wait: float) -> tuple[int, bool]:
    """Kill a writer some time after it began to write: the number of its last change, and whether it was done."""
    command = [sys.executable, "-c", WRITER, str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as writer:
        assert writer.stdout
        lines = [writer.stdout.readline()]
        time.sleep(wait)
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    what, number = lines[-1].split()
    return int(number), what == "done"


def kill(path: Path, times: int, seed: int) -> Counter[str]:
    """How often what was there after a kill was the old version, or the new one, of a change that was under way."""
    at, seen, number, expected = random.Random(seed), Counter[str](), 0, Expected()
    for _ in range(times):
        last, done = killed(path, number, at.uniform(0, 0.6))
        for change in range(number, last):
            expected = expected.changed(change)
        old, new = expected, expected.changed(last)
        found = served(path)
        assert found in ({new.current} if done else {old.current, new.current})
        expected = new if found == new.current else old
        seen["between" if done else "new" if found == new.current else "old"] += 1
        number = last + 1
    return seen


def test_a_writer_that_is_killed_leaves_a_whole_version(tmp_path: Path) -> None:
    kill(tmp_path, 2, seed=1)


@pytest.mark.prove
def test_of_100_kills_none_leaves_half_a_version(tmp_path: Path) -> None:
    seen = kill(tmp_path, 100, seed=2)
    assert seen["old"] > 50  # most were in the middle of it
