"""The documents of a collection, those left out among them, as its writer listed them: SQLite in `documents.db`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A document that was seen. `fingerprint` changes with its content; `failure` says why it is left out, or is ""."""

    id: str
    fingerprint: str
    title: str = ""
    failure: str = ""
