"""Small collections, made in a moment: a document is one passage, and its vector is drawn from its words.

The vectors are no model's: what is alike in words is alike in them, which is all that these tests need.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from retrieval.collection import Entry, Manifest, writing
from retrieval.embed import Embedder
from retrieval.passage import Passage
from retrieval.query import Vectors
from retrieval.weights import MINILM


@dataclass(frozen=True, slots=True)
class Page:
    """One document."""

    text: str
    access: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


def made(
    folder: Path, pages: Mapping[str, Page], embedder: Embedder | None = None, remove: Sequence[str] = ()
) -> Manifest:
    """The next version of the collection in `folder`: `pages` by their ids put in, or put in anew, others removed.

    With an embedder the vectors are its own, so that questions find them by meaning too.
    """
    with writing(folder, MINILM.identity, MINILM.dimensions) as writer:
        writer.remove([*pages, *remove])
        for id, page in pages.items():
            writer.note(Entry(id, hashlib.sha256(repr(page).encode()).hexdigest(), id))
        passages = [_passage(id, page) for id, page in pages.items()]
        texts = [passage.embedded for passage in passages]
        writer.add(passages, embedder.encode(texts) if embedder else drawn(texts))
        return writer.commit({"made": "1"})


def drawn(texts: Sequence[str]) -> Vectors:
    """Unit vectors, float32 [texts, dimensions]: sums of one random direction for each word."""
    sums = [np.sum([_direction(word) for word in text.casefold().split()], axis=0) for text in texts]
    return np.array([one / np.linalg.norm(one) for one in sums], np.float32)


def _direction(word: str) -> Vectors:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
    return np.random.default_rng(seed).standard_normal(MINILM.dimensions).astype(np.float32)


def _passage(id: str, page: Page) -> Passage:
    end = len(page.text)
    return Passage(f"{id}#0-{end}", id, id, id, page.text, 0, end, (0, end), page.access, page.metadata)
