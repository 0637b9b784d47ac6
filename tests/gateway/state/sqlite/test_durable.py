"""Nothing is acknowledged before it is on the disk: the kernel's own record of a process (strace) says so."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
COUNT = 20
SYNC = re.compile(r"(?P<pid>\d+) +(?:fdatasync|fsync)\(\d+<(?P<path>.*?)>")
RESUMED = re.compile(r"(?P<pid>\d+) +<\.\.\. (?:fdatasync|fsync) resumed>.*= 0")
SAID = re.compile(r'"(?P<what>asked|acknowledged) (?P<name>\S+)\\n"')


def traced(folder: Path) -> Iterator[str]:
    """The lines of strace, in the order in which things happened."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.fail("this proof needs strace: install it (apt-get install strace)")
    log = folder / "strace.log"
    watch = [strace, "--follow-forks", "--decode-fds=path", "--trace=fdatasync,fsync,write", f"--output={log}"]
    child = [sys.executable, "-m", "tests.gateway.state.sqlite.durable", str(folder / "state.db"), str(COUNT)]
    subprocess.run([*watch, *child], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=240)
    yield from log.read_text(errors="replace").splitlines()


def syncs(lines: Iterator[str], wal: Path) -> dict[str, int]:
    """How many syncs of the log were complete between each call and its acknowledgement."""
    begun: dict[str, str] = {}  # pid -> the file that it waits for
    counted: dict[str, int] = {}
    asked = ""
    for line in lines:
        if said := SAID.search(line):
            asked = said["name"] if said["what"] == "asked" else ""
            counted.setdefault(said["name"], 0)
        sync, resumed = SYNC.match(line), RESUMED.match(line)
        if sync and "unfinished" in line:
            begun[sync["pid"]] = sync["path"]
        path = sync["path"] if sync and line.endswith("= 0") else resumed and begun.pop(resumed["pid"], None)
        if asked and path == str(wal):
            counted[asked] += 1
    return counted


def test_a_sync_of_the_log_lies_between_each_call_and_its_acknowledgement(tmp_path: Path) -> None:
    counted = syncs(traced(tmp_path), tmp_path / "state.db-wal")
    assert set(counted) == {f"{call}-{number}" for call in ("hold", "checkpoint", "settle") for number in range(COUNT)}
    assert {name for name, number in counted.items() if number < 1} == set()
