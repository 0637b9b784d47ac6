"""What a writer left that was killed: its vectors are taken over, so that nothing is embedded twice.

Knows one folder of the layout, `.interrupted`. Whatever is wrong with it, it is no error: its texts are embedded again.
"""

import json
import shutil
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from retrieval.collection.drafting import SPILLED, spilled
from retrieval.collection.errors import UNREADABLE
from retrieval.collection.layout import DRAFT, INTERRUPTED
from retrieval.collection.passages import PASSAGES, Passages
from retrieval.protocols import Rows
from retrieval.query import Vectors

NOTE: Final = "draft.json"


@dataclass(frozen=True, slots=True)
class Label:
    """Of a draft: whose vectors it holds, and in which part."""

    embedder: str
    dimensions: int
    part: str


class Leftover:
    """Vectors of texts, by digest."""

    def __init__(self, passages: Passages, vectors: "np.memmap[tuple[int, int], np.dtype[np.float16]]") -> None:
        self.passages, self._vectors = passages, vectors

    @classmethod
    def open(cls, folder: Path, embedder: str, dimensions: int) -> Self | None:
        """What lies in a folder, if it is this embedder's and can be read."""
        try:
            label = Label(**json.loads((folder / NOTE).read_bytes()))
            if (label.embedder, label.dimensions) != (embedder, dimensions):
                return None
            passages = Passages(sqlite3.connect(folder / f"{label.part}.{PASSAGES}"))
            return cls(passages, spilled(folder / f"{label.part}.{SPILLED}", len(passages), dimensions))
        except UNREADABLE:
            return None

    def __len__(self) -> int:
        return len(self._vectors)

    def reconstruct(self, positions: Rows) -> Vectors:
        """The vectors at positions, to 16-bit precision; after a power cut some may be torn."""
        return self._vectors[positions].astype(np.float32)


def begin(folder: Path, label: Label) -> tuple[Path, Leftover | None]:
    """A new draft in a collection's folder, and what an interrupted one left: of two, the one that got further."""
    draft, before = folder / DRAFT, folder / INTERRUPTED
    newer, older = (len(Leftover.open(path, label.embedder, label.dimensions) or ()) for path in (draft, before))
    if newer > older:
        shutil.rmtree(before, ignore_errors=True)
        draft.rename(before)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    (draft / NOTE).write_text(json.dumps(asdict(label)))
    return draft, Leftover.open(before, label.embedder, label.dimensions)
