import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.state import owners
from gateway.state.owners import alive, owner

SAY = "from gateway.state.owners import owner; print(owner(), flush=True); input()"


@pytest.fixture
def without_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a system that has no /proc."""
    monkeypatch.setattr(owners, "_PROC", tmp_path / "absent")
    owners._identity.cache_clear()


def another() -> "subprocess.Popen[str]":
    """A process that says who it is and waits."""
    return subprocess.Popen(
        [sys.executable, "-c", SAY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def test_this_process_is_alive_and_stays_the_same() -> None:
    assert owner() == owner()
    assert alive(owner())


def test_another_process_is_alive_until_it_is_killed_even_if_nobody_reaps_it() -> None:
    with another() as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert name != owner()
        assert alive(name)
        process.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 30
        while alive(name) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert Path(f"/proc/{process.pid}").exists()  # still a zombie
        assert not alive(name)
    assert not alive(name)


def test_a_fork_is_another_owner() -> None:
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, owner().encode())
        os._exit(0)
    os.wait()
    assert os.read(read, 1000).decode() != owner()


def test_a_reused_pid_is_not_the_same_process() -> None:
    node, boot, pid, start = owner().split("/")
    assert not alive(f"{node}/{boot}/{pid}/{int(start) - 1}")
    assert not alive(f"{node}/{boot}/{os.getppid()}/{int(start) + 1_000_000}")


def test_nothing_survives_a_reboot() -> None:
    with another() as process:
        assert process.stdout is not None
        node, boot, pid, start = process.stdout.readline().strip().split("/")
        assert alive(f"{node}/{boot}/{pid}/{start}")
        assert not alive(f"{node}/11111111-2222-3333-4444-555555555555/{pid}/{start}")
        process.kill()


def test_what_cannot_be_judged_is_presumed_alive() -> None:
    _, *rest = owner().split("/")
    assert alive("/".join(["another-" + socket.gethostname(), *rest]))
    assert alive("")
    assert alive("nonsense")
    assert alive("a/b/-1/d")


@pytest.mark.usefixtures("without_proc")
def test_without_proc_this_process_is_alive_and_its_predecessor_of_the_same_pid_is_not() -> None:
    node, boot, pid, start = owner().split("/")
    assert boot == ""
    assert alive(owner())
    assert not alive(f"{node}//{pid}/{start[::-1]}x")


@pytest.mark.usefixtures("without_proc")
def test_without_proc_another_is_alive_while_its_pid_exists() -> None:
    with another() as process:
        name = f"{socket.gethostname()}//{process.pid}/anything"
        assert alive(name)
        process.kill()
    assert not alive(name)
