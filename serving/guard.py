"""Runs a command that must not outlive its starter: `python guard.py COMMAND...`, with standard input as a leash.

The command runs as the leader of its own process group. When standard input ends, because the starter closed it or died
in any way (kill -9 included), the whole group is told to stop and then killed; when the command ends by itself, what it
left behind is killed and its exit status is passed on. A death signal (PR_SET_PDEATHSIG) would reach only the command,
not the processes that it starts in turn, as vLLM does with its engine.

Without arguments the command is the first line of standard input (`order` writes it): `pkill -9 -f` on its name then
does not find the guard, which would leave the rest of the family alone.

Standard library only: it is run as a file, by an interpreter that may have nothing installed.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

STOP_SECONDS = 10.0  # vLLM stops within 2 s; a process that hangs in a kernel would not


def order(command: list[str]) -> bytes:
    """What to write to a guard's standard input so that it starts the command."""
    return json.dumps(command).encode() + b"\n"


def run(command: list[str]) -> int:
    """The command's exit status, negative for a signal."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_stop_when_let_go, args=(child.pid,), daemon=True).start()
    status = child.wait()
    _signal(child.pid, signal.SIGKILL)
    return status


def _stop_when_let_go(group: int) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    _signal(group, signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # everyone in it has gone
        os.killpg(group, number)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The leash decides, not a signal to the terminal's group. A handler, since the command would inherit SIG_IGN.
        signal.signal(number, lambda *_: None)
    command = sys.argv[1:] or json.loads(sys.stdin.buffer.readline() or b"[]")
    sys.exit(run(command) & 0xFF if command else 0)
