"""A versioned folder on disk: a set of files that is complete and unaltered, or refused.

    folder/CURRENT              the name of the version to read
    folder/<version>/manifest.json, index.faiss, ...

Knows bytes and digests, not what the files mean.

Invariants: `version` is a digest over the manifest, which holds the SHA-256 of every file, so that one flipped bit is
found before a byte is interpreted (FAISS searches most damaged indexes without complaint). A version never changes once
written. A reader sees the old version or the new one: files are flushed to disk first, then CURRENT is replaced by one
rename. The version before is kept until the next write, for a reader that has just looked it up.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CURRENT: Final = "CURRENT"
MANIFEST: Final = "manifest.json"
LOCK: Final = "LOCK"
OURS: Final = re.compile(r"[0-9a-f]{16}|\.draft-.*")  # what may be deleted; the folder could hold other things too


class Damaged(Exception):
    """Raised when the files are not those that were written."""


@dataclass(frozen=True, slots=True)
class Contents:
    """One version: what its writer noted about it, and its files by name."""

    version: str
    facts: Mapping[str, Any]
    files: Mapping[str, bytes]


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder for writing; a second writer, in whatever process, waits. Readers are not affected."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released by the kernel, however the process ends
        yield


def read(folder: Path) -> Contents:
    """The current version, every byte checked. Raises FileNotFoundError if nothing was written yet, and Damaged."""
    version = (folder / CURRENT).read_text("utf-8", "replace").strip()
    try:
        return _checked(version, folder / version)
    except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise Damaged(f"version {version[:16]!r} is incomplete or no longer valid ({type(error).__name__})") from error


def _checked(version: str, path: Path) -> Contents:
    manifest = json.loads((path / MANIFEST).read_bytes())
    if _version(manifest) != version:
        raise Damaged(f"{MANIFEST} was altered after it was written")
    files = {name: (path / name).read_bytes() for name in manifest["files"]}
    for name, data in files.items():
        if _sha256(data) != manifest["files"][name]:
            raise Damaged(f"{name} was altered after it was written ({len(data):,} bytes)")
    return Contents(version, manifest["facts"], files)


def write(folder: Path, facts: Mapping[str, Any], files: Mapping[str, bytes]) -> Contents:
    """Make these files the current version. Call it within `exclusive`. `facts` is JSON. Raises OSError."""
    manifest = {"facts": facts, "files": {name: _sha256(data) for name, data in files.items()}}
    version = _version(manifest)
    before = (folder / CURRENT).read_text("utf-8", "replace").strip() if (folder / CURRENT).exists() else ""
    if not _intact(folder, version):
        _place(folder, version, {**files, MANIFEST: json.dumps(manifest, indent=1).encode()})
    _point(folder, version)
    _prune(folder, keep={version, before})
    return Contents(version, facts, files)


def _intact(folder: Path, version: str) -> bool:
    try:
        return _checked(version, folder / version).version == version
    except (Damaged, OSError, ValueError):
        return False


def _place(folder: Path, version: str, files: Mapping[str, bytes]) -> None:
    draft = Path(tempfile.mkdtemp(dir=folder, prefix=".draft-"))
    draft.chmod(0o755)  # mkdtemp's 0700 would hide the collection from a gateway that runs as another user
    for name, data in files.items():
        _write_through(draft / name, data)
    _flush_names(draft)
    shutil.rmtree(folder / version, ignore_errors=True)  # there is one only if it is damaged
    draft.rename(folder / version)


def _point(folder: Path, version: str) -> None:
    draft = folder / f".{CURRENT}"
    _write_through(draft, version.encode())
    draft.replace(folder / CURRENT)
    _flush_names(folder)


def _prune(folder: Path, keep: set[str]) -> None:
    for path in folder.iterdir():
        if OURS.fullmatch(path.name) and path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_names(folder: Path) -> None:
    """Without it the files are on disk after a power cut, but perhaps not their names."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _version(manifest: Mapping[str, Any]) -> str:
    return _sha256(json.dumps(manifest, sort_keys=True).encode())[:16]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
