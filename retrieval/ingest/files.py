"""The files of a folder, in one order, and nothing but those: no link is followed out of it, no pipe is opened.

Invariants: a file's id is its path relative to the folder, with slashes; ids come in the order of their parts; memory
does not grow with the number of files, only with that of one folder's.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from retrieval.document import Unreadable
from retrieval.ingest.rules import Rule, labels
from retrieval.parsing.formats import format_of


@dataclass(frozen=True, slots=True)
class File:
    """A file of a known format below `folder`, with the labels and metadata that rules give it.

    `failure` says why it cannot be looked at, or is "".
    """

    id: str
    path: str
    folder: str
    access: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""


def walk(folder: Path, rules: Sequence[Rule] = (), prefix: str = "") -> Iterator[File]:
    """Every file of a known format, and every folder that cannot be looked into; hidden ones are left out.

    `prefix` is put before each id.
    """
    waiting = [""]
    while waiting:
        below = waiting.pop()
        if below and not below.endswith("/"):
            yield _file(folder, prefix, below, rules)
            continue
        try:
            names = _names(folder / below)
        except OSError as error:
            yield File(spelled(prefix + below), str(folder / below), str(folder), failure=_why(error))
            continue
        waiting.extend(below + name for name in reversed(names))


def _names(folder: Path) -> list[str]:
    """What is of interest in a folder, in order; folders with a slash at the end. Links to folders are files here."""
    with os.scandir(folder) as found:
        names = [f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name for entry in found]
    return sorted(name for name in names if name[0] != "." and (name.endswith("/") or format_of(name)))


def _file(folder: Path, prefix: str, name: str, rules: Sequence[Rule]) -> File:
    id = spelled(prefix + name)
    return File(id, str(folder / name), str(folder), *labels(rules, id))


@contextmanager
def opened(file: File) -> Iterator[int]:
    """A descriptor of a regular file that lies in its folder, links within that followed. Raises Unreadable."""
    descriptor = _open(file)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(file: File) -> int:
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe's would wait for a writer
    except OSError as error:
        raise Unreadable(file.id, _why(error)) from error
    try:
        _check(file, descriptor)
    except OSError as error:
        os.close(descriptor)
        raise Unreadable(file.id, _why(error)) from error
    except Unreadable:
        os.close(descriptor)
        raise
    return descriptor


def _check(file: File, descriptor: int) -> None:
    """What was opened is what is there by its real name, whatever was put in its place in the meantime."""
    real, status = Path(file.path).resolve(strict=True), os.fstat(descriptor)
    if not real.is_relative_to(Path(file.folder).resolve()):
        raise Unreadable(file.id, "is a link out of the folder: copy the file into it")
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable(file.id, "is not a regular file")
    if not os.path.samestat(status, os.stat(real, follow_symlinks=False)):
        raise Unreadable(file.id, "was exchanged while it was read")


def spelled(name: str) -> str:
    """Bytes of a name that are not UTF-8 are spelled out, so that it can be printed and stored."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _why(error: OSError) -> str:
    return f"cannot be opened ({error.strerror})"
