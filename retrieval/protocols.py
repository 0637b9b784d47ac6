"""What retrieval needs from its parts, each of which has more than one implementation.

`Embeds`: the local model, and any endpoint that speaks OpenAI's embeddings API. `Index`: a collection on this machine
(FAISS and Tantivy over memory-mapped files), and an engine that holds shards on others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.passage import Passage
from retrieval.query import Scope, Vectors

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows of an index, best first, and their scores, float32: one ranking by one component."""

    rows: Rows
    scores: Vectors


NOTHING: Final = Ranked(np.empty(0, np.int64), np.empty(0, np.float32))


class IndexUnavailable(Exception):
    """Raised when the engine that holds an index does not answer, or not in time: what it holds is not known then."""


class Embeds(Protocol):
    """Makes unit vectors of texts. `identity` names everything that could change a vector."""

    @property
    def identity(self) -> str: ...
    @property
    def dimensions(self) -> int: ...
    @property
    def window(self) -> int:
        """Tokens of a text that it reads; the rest is cut off."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Of passages, float32 [len(texts), dimensions]; blocks. For bulk work."""

    def ask(self, texts: Sequence[str]) -> Vectors:
        """Of questions, which some models are given another prompt for; as `encode` else."""

    def tokens(self, text: str) -> int:
        """Tokens of the whole text, its own marks included."""


class Encoder(Embeds, Protocol):
    """One that a gateway keeps: its questions wait for nobody but each other."""

    async def embed(self, texts: Sequence[str], asker: str = "") -> Vectors:
        """Of questions, as `ask`. What it remembers it remembers for the `asker`: no other learns of it by its time."""

    def close(self) -> None:
        """Give back what it holds; it is not used again."""


class Index(Protocol):
    """One immutable version of a collection. A row is a passage for as long as the version lives. Calls block, may come
    from several threads, and give fewer than `k` rows where the scope holds fewer. Those that ask an engine raise
    IndexUnavailable."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    def __len__(self) -> int:
        """Passages, removed ones left out."""

    def dense(self, vector: Vectors, k: int, scope: Scope) -> Ranked:
        """By cosine (-1 to 1) to a unit vector [dimensions]."""

    def lexical(self, text: str, k: int, scope: Scope) -> Ranked:
        """By BM25 (0 up; a passage without any of the words is left out)."""

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """In the order of `rows`."""

    def vectors(self, rows: Sequence[int]) -> Vectors:
        """float32 [len(rows), dimensions], to about the precision that the index keeps."""

    def around(self, row: int) -> list[Passage]:
        """The passages near a row in its section, some 32 on each side at least where there are as many, in reading
        order, itself among them."""
