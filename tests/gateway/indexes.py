"""An `Index` that is only a name and a version, for what looks at no passage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.passage import Passage
from retrieval.protocols import NOTHING, Ranked
from retrieval.query import Scope, Vectors


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
