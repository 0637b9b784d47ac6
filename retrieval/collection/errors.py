"""Why a collection cannot serve.

CollectionError
├── NoCollection        nothing was built there yet
├── CorruptCollection   the files are not those that were written
└── WrongEmbedder       it was built with another model, or another precision
"""


class CollectionError(Exception):
    """Any reason why a collection cannot serve. `name` is the collection's."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"collection {name!r} {problem}; run `tollgate index build` for it")
        self.name = name


class NoCollection(CollectionError):
    """Raised when the folder holds no collection."""


class CorruptCollection(CollectionError):
    """Raised when a file is missing, cut or altered, or contradicts another one."""


class WrongEmbedder(CollectionError):
    """Raised when the vectors are those of another embedder: scores between the two would mean nothing."""
