"""Why a collection cannot serve.

CollectionError
├── NoCollection        nothing was built there yet
├── CorruptCollection   the files are not those that were written
└── WrongEmbedder       it was built with another model, or another precision
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# What SQLite, FAISS, Tantivy, numpy and JSON raise over files that are not theirs.
UNREADABLE: Final = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, sqlite3.Error)


class CollectionError(Exception):
    """Any reason why a collection cannot serve. `name` is the collection's, `remedy` the command that helps."""

    def __init__(self, name: str, problem: str, remedy: str = "tollgate index build") -> None:
        super().__init__(f"collection {name!r} {problem}; run `{remedy}` for it")
        self.name = name


class NoCollection(CollectionError):
    """Raised when the folder holds no collection."""


class CorruptCollection(CollectionError):
    """Raised when a file is missing, cut or altered, or contradicts another one."""


class WrongEmbedder(CollectionError):
    """Raised when the vectors are those of another embedder: scores between the two would mean nothing."""


@contextmanager
def corruption(name: str, version: str) -> Iterator[None]:
    """Whatever a file of a version raises is a CorruptCollection that says which and why."""
    try:
        yield
    except UNREADABLE as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        where = f" {error.filename}" if isinstance(error, OSError) and error.filename else ""
        raise CorruptCollection(name, f"cannot be read: version {version}:{where} {reason}") from error
