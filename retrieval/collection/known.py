"""Known-answer queries: stored passages must be found by their own vectors and their own texts.

Digests show that files are those that were written; this shows that what reads them today still reads them as they
were meant: another release of FAISS, of Tantivy or of a stemmer may not.
"""

from typing import Final

import numpy as np

from retrieval.collection.manifest import Known
from retrieval.protocols import Index, Rows
from retrieval.query import Scope

ASKED: Final = 16  # passages: some milliseconds at every load
AMONG: Final = 10  # the first; equal texts stand beside each other


def answers(index: Index, rows: Rows, everything: Scope) -> Known:
    """Those of some of `rows` that are found. An approximate index may miss one; one may have no words."""
    asked = rows[np.unique(np.linspace(0, len(rows) - 1, ASKED, dtype=int))].tolist() if len(rows) else []
    dense = tuple(row for row in asked if _by_vector(index, row, everything))
    return Known(dense, tuple(row for row in asked if _by_text(index, row, everything)))


def ask(index: Index, known: Known, everything: Scope) -> None:
    """Raises ValueError when a row that was found before is not found now."""
    for row in known.dense:
        if not _by_vector(index, row, everything):
            raise ValueError(f"the vector of row {row} does not find its passage, as it did when it was written")
    for row in known.lexical:
        if not _by_text(index, row, everything):
            raise ValueError(f"the text of row {row} does not find its passage, as it did when it was written")


def _by_vector(index: Index, row: int, everything: Scope) -> bool:
    return row in index.dense(index.vectors([row])[0], AMONG, everything).rows


def _by_text(index: Index, row: int, everything: Scope) -> bool:
    return row in index.lexical(index.passages([row])[0].embedded, AMONG, everything).rows
