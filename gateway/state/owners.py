"""Which process holds an amount, and whether it still runs: so that a killed process's holds are settled at once.

An owner is `node/boot/pid/start`. A pid alone is reused; together with the boot and the start of the process it is not.
What cannot be judged from here (another node, another format) is presumed alive: a hold that stays open too long costs
budget until its window ends, one that is settled too early lets a limit be exceeded. Knows no store.
"""

import os
import secrets
import socket
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


def owner() -> str:
    """This process. The same text for as long as it runs, another one after a fork."""
    return _identity(os.getpid())


def alive(owner: str) -> bool:
    """Whether the process that `owner()` named still runs."""
    node, booted, pid, start = _parts(owner)
    if node != _node():
        return True
    if booted != boot():
        return False
    if pid == os.getpid():
        return owner == _identity(pid)
    return _started(pid) == start if booted else _exists(pid)


def boot() -> str:
    """The kernel's random id of this boot; empty where there is no /proc."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@cache
def _identity(pid: int) -> str:
    return f"{_node()}/{boot()}/{pid}/{_started(pid) or secrets.token_hex(8)}"


def _parts(owner: str) -> tuple[str, str, int, str]:
    """Node, boot, pid and start; for any other text a node that is not ours."""
    match owner.split("/"):
        case [node, boot, pid, start] if pid.isdecimal():
            return node, boot, int(pid), start
        case _:
            return "", "", 0, ""


def _node() -> str:
    return socket.gethostname()


def _started(pid: int) -> str | None:
    """Clock ticks from boot to the process's start; None when it is gone or only waits to be reaped. See proc(5)."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    return None if state in "ZX" else rest[18]  # field 22 of the line; `state` is field 3


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
