"""Which processes of a state file still run, told by a lock that each holds for as long as it lives.

A process's name (`owners.py`) means something only beside the same host name and in the same pid namespace, and both
change when a container is made again. So each process also holds a lock (flock(2)) on a file of its own beside the
state: the kernel lets go of it however the process ends, and tells everybody on the machine, in whatever container.

Knows no store. Invariant: an owner whose lock is held is never called dead; one without a lock file here (of another
machine, of an older version) is judged by its name.
"""

import fcntl
import hashlib
import os
import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path

from gateway.state import owners
from gateway.state.counters import KEEP


class Locks:
    """The locks in `folder` (made if absent), this process's among them; to be closed. Raises OSError.

    None: a state that nobody shares needs no lock.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._mine: Path | None = None
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            self._mine = _named(folder, owners.owner())
            _take(self._mine)
            _sweep(folder)

    def alive(self, owner: str) -> bool:
        """Whether the process of that name still runs."""
        held = _held(_named(self._folder, owner)) if self._folder and owner != owners.owner() else None
        return owners.alive(owner) if held is None else held

    def close(self) -> None:
        """Let go, as the end of the process would. The file stays, for what may still be held under its name.

        Further calls are no-ops.
        """
        if self._mine:
            _release(self._mine)
            self._mine = None


_guard = threading.Lock()
_taken: dict[Path, tuple[int, int]] = {}  # the descriptor that holds the lock, and how many states of this process do


def _take(path: Path) -> None:
    with _guard:
        lock, count = _taken.get(path) or (_locked(path), 0)
        _taken[path] = lock, count + 1


def _release(path: Path) -> None:
    with _guard:
        lock, count = _taken.pop(path)
        if count > 1:
            _taken[path] = lock, count - 1
        else:
            os.close(lock)


def _locked(path: Path) -> int:
    """The descriptor of a locked file, which gets its name once it is locked: nobody ever finds it free."""
    unnamed = path.with_name(f".{secrets.token_hex(8)}")
    lock = os.open(unnamed, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(path)
    return lock


def _held(path: Path) -> bool | None:
    """Whether somebody holds the lock of that file; None when there is no such file."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _named(folder: Path, owner: str) -> Path:
    return folder / hashlib.sha256(owner.encode()).hexdigest()[:32]


def _sweep(folder: Path) -> None:
    """Remove the files of processes that are long gone: whatever they held was settled at the next start."""
    for path in folder.iterdir():
        with suppress(OSError):  # another process is sweeping, too
            if path.stat().st_mtime < time.time() - KEEP and not _held(path):
                path.unlink()
