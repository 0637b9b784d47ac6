"""A small real collection whose vectors and words are set by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrieval.collection import Collection, Entry, writing
from retrieval.passage import Passage
from retrieval.query import Vectors

EMBEDDER = "by-hand@1"


def unit(*numbers: float) -> Vectors:
    vector = np.array(numbers, np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def passage(text: str, document: str = "page", start: int = 0, access: tuple[str, ...] = ()) -> Passage:
    end = start + len(text)
    return Passage(f"{document}#{start}-{end}", document, "", "", text, start, end, (0, 1000), access)


def made(folder: Path, some: Sequence[tuple[Passage, Vectors]]) -> Collection:
    """A collection of passages with their unit vectors."""
    with writing(folder, EMBEDDER, len(some[0][1])) as writer:
        for document in dict.fromkeys(passage.document for passage, _ in some):
            writer.note(Entry(document, "1"))
        writer.add([passage for passage, _ in some], np.stack([vector for _, vector in some]))
        writer.commit({})
    return Collection.load(folder, EMBEDDER)
