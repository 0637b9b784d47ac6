"""Processes that are told dead from living by their locks, whatever their names say of hosts and pids."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.state import locks, owners
from gateway.state.counters import KEEP
from gateway.state.locks import Locks
from tests.conftest import ROOT

FOREIGN = "another-host/another-boot/1/1"  # by its name alone it is presumed alive
HOLD = f"""
import sys
from pathlib import Path
from gateway.state import locks, owners
owners.owner = lambda: {FOREIGN!r}
held = locks.Locks(Path(sys.argv[1]))
print("held", flush=True)
input()
"""


def test_a_process_under_another_host_name_is_alive_until_it_is_killed(tmp_path: Path) -> None:
    """As a container is that is made again under another name."""
    here = Locks(tmp_path)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "held"
        assert here.alive(FOREIGN)
        process.kill()
        process.wait()
        assert not here.alive(FOREIGN)
    here.close()


def test_a_held_lock_outweighs_a_name_that_seems_dead(tmp_path: Path) -> None:
    """As of a process in another pid namespace of the same host name."""
    node, boot, *_ = owners.owner().split("/")
    unseen = f"{node}/{boot}/999999999/1"
    here = Locks(tmp_path)
    assert not here.alive(unseen)
    with open(locks._named(tmp_path, unseen), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert here.alive(unseen)
    assert not here.alive(unseen)
    here.close()


@pytest.mark.parametrize("shared", [True, False])
def test_without_a_lock_the_name_decides(tmp_path: Path, shared: bool) -> None:
    here = Locks(tmp_path if shared else None)
    assert here.alive(FOREIGN)
    assert here.alive(owners.owner())
    here.close()


def test_two_states_of_one_process_share_its_lock(tmp_path: Path) -> None:
    one, two = Locks(tmp_path), Locks(tmp_path)
    mine = locks._named(tmp_path, owners.owner())
    one.close()
    assert locks._held(mine)
    two.close()
    two.close()  # a no-op
    assert not locks._held(mine)
    assert not [path for path in locks._taken if path.parent == tmp_path]


def test_files_of_long_ago_are_removed_unless_somebody_holds_them(tmp_path: Path) -> None:
    past = time.time() - KEEP - 60
    for name in ("gone", "held", "fresh"):
        (tmp_path / name).touch()
    for name in ("gone", "held"):
        os.utime(tmp_path / name, (past, past))
    with open(tmp_path / "held") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        Locks(tmp_path).close()
    assert {path.name for path in tmp_path.iterdir()} > {"held", "fresh"}
    assert not (tmp_path / "gone").exists()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Locks(tmp_path / "file" / "folder")
