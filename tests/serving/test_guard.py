"""On real processes: a command with a child and a grandchild, each of which would live for minutes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from serving import guard
from tests.conftest import ROOT

FAMILY = """
import os, subprocess, sys, time
depth, pids = int(sys.argv[1]), sys.argv[2]
{ignore}
if depth:
    subprocess.Popen([sys.executable, *sys.argv[:1], str(depth - 1), pids])
open(f"{{pids}}/{{depth}}.tmp", "w").write(str(os.getpid()))
os.rename(f"{{pids}}/{{depth}}.tmp", f"{{pids}}/{{depth}}")
time.sleep(300)
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def family(folder: Path, ignore: str = "") -> list[str]:
    script = folder / "family.py"
    script.write_text(FAMILY.format(ignore=ignore))
    return [sys.executable, str(script), "2", str(folder)]


@contextmanager
def guarded(command: list[str], program: str = guard.__file__) -> "Iterator[subprocess.Popen[bytes]]":
    with subprocess.Popen([sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(guard.order(command))
        process.stdin.flush()
        yield process


def members(folder: Path) -> list[int]:
    """The three processes' ids, once all have started."""
    wait_until(lambda: all((folder / name).exists() for name in "012"))
    return [int((folder / name).read_text()) for name in "012"]


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within 30 s")


def gone(pid: int) -> bool:
    """Ended, whether or not its parent has noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_letting_go_of_the_leash_ends_the_whole_family(tmp_path: Path) -> None:
    with guarded(family(tmp_path)) as process:
        pids = members(tmp_path)
    wait_until(lambda: all(map(gone, pids)))  # a killed process takes a moment to go
    assert process.returncode


def test_a_starter_that_is_killed_takes_the_family_with_it(tmp_path: Path) -> None:
    starter = "import sys; from tests.serving.test_guard import guarded\nwith guarded(sys.argv[1:]) as p: p.wait()"
    with subprocess.Popen([sys.executable, "-c", starter, *family(tmp_path)], cwd=ROOT) as process:
        pids = members(tmp_path)
        process.kill()
    wait_until(lambda: all(map(gone, pids)))


def test_who_does_not_listen_is_killed(tmp_path: Path) -> None:
    impatient = tmp_path / "impatient.py"
    impatient.write_text(Path(guard.__file__).read_text().replace("STOP_SECONDS = 10.0", "STOP_SECONDS = 0.2"))
    with guarded(family(tmp_path, STUBBORN), str(impatient)):
        pids = members(tmp_path)
    wait_until(lambda: all(map(gone, pids)))  # a killed process takes a moment to go


def test_the_guard_does_not_bear_the_name_of_its_command(tmp_path: Path) -> None:
    """`pkill -9 -f name` must leave the one that clears up."""
    with guarded(family(tmp_path)) as process:
        members(tmp_path)
        assert b"family.py" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()


def test_a_starter_that_orders_nothing_gets_nothing() -> None:
    with subprocess.Popen([sys.executable, guard.__file__], stdin=subprocess.PIPE) as process:
        pass
    assert process.returncode == 0


def test_what_a_finished_command_leaves_behind_is_killed(tmp_path: Path) -> None:
    with guarded(family(tmp_path)) as process:
        pids = members(tmp_path)
        os.kill(pids[2], signal.SIGKILL)  # the command itself; its child and grandchild live on
        process.wait(30)
    wait_until(lambda: all(map(gone, pids)))


def test_the_command_hears_a_request_to_stop(tmp_path: Path) -> None:
    heard = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(5)); print(flush=True); time.sleep(300)"
    with guarded([sys.executable, "-c", heard]) as process:
        assert process.stdout
        process.stdout.readline()
    assert process.returncode == 5


def test_the_command_may_be_given_as_arguments(tmp_path: Path) -> None:
    command = [sys.executable, guard.__file__, *family(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE):
        pids = members(tmp_path)
    wait_until(lambda: all(map(gone, pids)))  # a killed process takes a moment to go


def test_the_status_is_passed_on() -> None:
    with guarded([sys.executable, "-c", "raise SystemExit(7)"]) as process:
        assert process.wait(30) == 7


def test_signals_of_the_terminal_are_left_to_the_starter(tmp_path: Path) -> None:
    with guarded(family(tmp_path)) as process:
        pids = members(tmp_path)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert process.poll() is None
        assert not any(map(gone, pids))
