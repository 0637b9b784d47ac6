"""SHA-256 of files, a piece at a time. Knows bytes, not what they mean."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

PIECE: Final = 1 << 20  # bytes: enough that the loop costs nothing beside the hashing


def of_file(path: Path) -> str:
    """Hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_json(value: Mapping[str, Any]) -> str:
    """Of a value, however its keys are ordered and its text is indented."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def of_text(text: str) -> bytes:
    """16 bytes that stand for a text: enough that no two texts of any collection share them."""
    return hashlib.sha256(text.encode()).digest()[:16]


def copy(source: Path, target: Path) -> str:
    """Copy a file; the digest is that of the very bytes that were written. Raises OSError."""
    digest = hashlib.sha256()
    with source.open("rb") as file, target.open("wb") as copied:
        while piece := file.read(PIECE):
            digest.update(piece)
            copied.write(piece)
    return digest.hexdigest()
