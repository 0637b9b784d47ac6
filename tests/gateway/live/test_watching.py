"""When the prompts are looked at: when something has moved, and is still."""

import os
import time
from pathlib import Path

import pytest

from gateway.live.watching import COARSE_NS, Watch
from gateway.settings import Build
from tests.gateway.live.prompts import Prompts


@pytest.fixture
def prompts(tmp_path: Path) -> Prompts:
    return Prompts(tmp_path / "prompts")


def settled(watch: Watch) -> None:
    """Until what was written is long ago."""
    for _ in range(100):
        if not watch.moved() and not watch.moved():
            return
        time.sleep(COARSE_NS / 1e9)
    raise AssertionError("it always moves")


def test_what_lies_still_is_read_once(prompts: Prompts) -> None:
    watch = Watch(Build(prompts=prompts.folder))
    assert not watch.moved()  # it may still be written
    assert watch.moved()
    settled(watch)
    assert not watch.moved()


@pytest.mark.parametrize("how", ["text", "new", "gone", "tag", "commit", "branch"])
def test_whatever_moves_is_seen_once_it_is_still(prompts: Prompts, how: str) -> None:
    watch = Watch(Build(prompts=prompts.folder))
    settled(watch)
    match how:
        case "text":
            prompts.write("v2")
        case "new":
            prompts.write("v1", id="other")
        case "gone":
            (prompts.folder / "templates" / "say.md.j2").unlink()
        case "tag":
            prompts.git("tag", "v9")
        case "commit":
            prompts.git("commit", "-q", "--allow-empty", "-m", "more")
        case "branch":
            prompts.git("checkout", "-q", "-b", "other")
    assert not watch.moved()
    assert watch.moved()


def test_a_change_within_a_tick_of_the_clock_is_read_again(prompts: Prompts) -> None:
    watch, file = Watch(Build(prompts=prompts.folder)), prompts.folder / "templates" / "say.md.j2"
    settled(watch)
    now = time.time_ns()
    prompts.write("v2")
    os.utime(file, ns=(now + 10**9, now + 10**9))  # as if it were written in a moment, and so may be more
    while time.time_ns() < now + 10**9:
        time.sleep(0.01)
    watch.moved()
    assert watch.moved()
    assert watch.moved()


def test_a_linked_work_tree_has_its_references_elsewhere(prompts: Prompts, tmp_path: Path) -> None:
    prompts.git("worktree", "add", "-q", str(tmp_path / "linked"))
    watch = Watch(Build(prompts=tmp_path / "linked"))
    settled(watch)
    prompts.git("tag", "v9")
    assert not watch.moved()
    assert watch.moved()


def test_a_repository_is_fetched_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    watch = Watch(Build(repository="https://git.example.com/prompts.git", fetch_s=30))
    assert not watch.moved()
    clock[0] += 30
    assert watch.moved()
    assert not watch.moved()
