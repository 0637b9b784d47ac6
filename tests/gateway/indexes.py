"""An `Index` that is only a name and a version, for what looks at no passage; and an `Encoder` of no more."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.passage import Passage
from retrieval.protocols import NOTHING, Ranked
from retrieval.query import Scope, Vectors
from retrieval.weights import MINILM


@dataclass(frozen=True, slots=True)
class Named:
    """It holds nothing."""

    version: str
    name: str = "docs"

    def __len__(self) -> int:
        return 0

    def dense(self, vector: Vectors, k: int, scope: Scope) -> Ranked:
        return NOTHING

    def lexical(self, text: str, k: int, scope: Scope) -> Ranked:
        return NOTHING

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        return []

    def vectors(self, rows: Sequence[int]) -> Vectors:
        return np.empty((0, 1), np.float32)

    def around(self, row: int) -> list[Passage]:
        return []


@dataclass(frozen=True, slots=True)
class Identified:
    """It embeds nothing."""

    identity: str = MINILM.identity
    dimensions: int = MINILM.dimensions
    window: int = MINILM.window

    async def embed(self, texts: Sequence[str], asker: str = "") -> Vectors:
        return np.empty((0, self.dimensions), np.float32)

    def ask(self, texts: Sequence[str]) -> Vectors:
        return np.empty((0, self.dimensions), np.float32)

    def encode(self, texts: Sequence[str]) -> Vectors:
        return np.empty((0, self.dimensions), np.float32)

    def tokens(self, text: str) -> int:
        return 0

    def close(self) -> None:
        """It holds nothing."""
