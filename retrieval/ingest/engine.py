"""Where a build's work is done: in this process, or on Ray's workers."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, Protocol

from retrieval.ingest.files import File
from retrieval.ingest.reading import Outcome, Reader
from retrieval.protocols import Embeds
from retrieval.query import Vectors

BATCH: Final = 32  # past this a batch costs as much per text as its texts would one by one
CHUNK: Final = 512  # passages: half a minute of embedding, which is what a kill can cost


class Engine(Protocol):
    """Files to passages, and texts to vectors. `chunk` is how many texts it is best given at once."""

    @property
    def chunk(self) -> int: ...

    def read(self, files: Iterable[File], seen: Collection[str]) -> Iterator[Outcome]:
        """The documents of files, in the files' order; those whose fingerprint is in `seen` are not parsed."""

    def embed(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Batches of positions in `texts` and their vectors, in any order, each position once."""


class LocalEngine:
    """All of it in this process, but for the parsing, which has one of its own."""

    chunk: Final = CHUNK

    def __init__(self, embedder: Embeds) -> None:
        self._embedder = embedder

    def read(self, files: Iterable[File], seen: Collection[str]) -> Iterator[Outcome]:
        reader = Reader(self._embedder.tokens, self._embedder.window)
        try:
            for file in files:
                yield from reader.read(file, seen)
        finally:
            reader.close()

    def embed(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Texts of like length together: a batch takes as long as its longest text."""
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            yield batch, self._embedder.encode([texts[at] for at in batch])
