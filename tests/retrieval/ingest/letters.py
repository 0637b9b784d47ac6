"""An embedder that starts at once, for builds of which nothing is asked: a text's vector counts its letters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from retrieval.query import Vectors

LETTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Letters:
    """`Embeds`, each word a token."""

    identity: str = "letters@1"
    dimensions: int = LETTERS
    window: int = 256

    def encode(self, texts: Sequence[str]) -> Vectors:
        codes = [np.frombuffer(text.encode(), np.uint8) % LETTERS for text in texts]
        counts = np.stack([np.bincount(code, minlength=LETTERS) for code in codes]).astype(np.float32)
        return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True), np.float32)

    def ask(self, texts: Sequence[str]) -> Vectors:
        return self.encode(texts)

    def tokens(self, text: str) -> int:
        return len(text.split())
