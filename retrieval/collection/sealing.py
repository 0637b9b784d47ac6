"""The files of a version, from what stays of the version before and from the new part: appended to it, or all anew.

Knows rows and files; not which documents they are of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from retrieval.collection import files, leftover, manifest, merging
from retrieval.collection.collection import LEXICAL, REMOVED, Collection
from retrieval.collection.drafting import SPILLED, PartDraft
from retrieval.collection.entries import DOCUMENTS
from retrieval.collection.part import Bitmap
from retrieval.lexical import LexicalWriter
from retrieval.protocols import Rows

ANEW: Final = frozenset({DOCUMENTS, REMOVED})  # files that each version has its own of
LOCKS: Final = ".lock"  # what Tantivy holds while it writes or opens; the file stays behind


@dataclass(frozen=True, slots=True)
class Stays:
    """What stays of a version that is loaded and lies in `folder`: the rows that are `live`, by part."""

    folder: Path
    base: Collection
    live: Sequence[Bitmap]


def seal(draft: Path, language: str, stays: Stays | None, part: PartDraft, live: Bitmap) -> tuple[manifest.Part, ...]:
    """Write parts, words and removed rows into a draft; `live` is of the new part. Raises OSError; Altered
    when a file of the version before was."""
    sources: list[merging.Source] = [*stays.base.parts, part] if stays else [part]
    lives = [*stays.live, live] if stays else [live]
    if merging.worthwhile(lives):
        target = part.successor()
        merging.merge(sources, lives, target)
        part.close()
        return _appended(draft, language, None, target, np.ones(len(target), np.bool_))
    return _appended(draft, language, stays, part, live)


def _appended(
    draft: Path, language: str, stays: Stays | None, part: PartDraft, live: Bitmap
) -> tuple[manifest.Part, ...]:
    first, parts = (stays.base.manifest.rows, stays.base.manifest.parts) if stays else (0, ())
    if stays:
        known = stays.base.manifest.files
        files.carry(stays.folder, draft, {name: digest for name, digest in known.items() if name not in ANEW})
    removed = _removed(stays, before=False)
    np.save(draft / REMOVED, np.concatenate([removed, np.flatnonzero(~live) + first]))
    _index_words(draft / LEXICAL, language, np.setdiff1d(removed, _removed(stays, before=True)), part, first, live)
    if not len(part):
        part.close()
        return parts
    return (*parts, part.finish(first))


def _index_words(folder: Path, language: str, gone: Rows, part: PartDraft, first: int, live: Bitmap) -> None:
    folder.mkdir(exist_ok=True)
    words = LexicalWriter(folder, language)
    words.remove(gone)
    for some in merging.pieces(part.passages, live):
        for position, passage in some:
            words.add(first + position, passage)
    words.commit()


def _removed(stays: Stays | None, *, before: bool) -> Rows:
    """Rows that were removed from the version when it was written, or all that are now."""
    if stays is None:
        return np.empty(0, np.int64)
    lives = [part.all_live() for part in stays.base.parts] if before else stays.live
    return np.concatenate(
        [np.flatnonzero(~live) + part.first for part, live in zip(stays.base.parts, lives, strict=True)]
        or [np.empty(0, np.int64)]
    )


def tidy(draft: Path, parts: Sequence[manifest.Part]) -> None:
    """Delete from a draft what no version has: locks, what its index was made of, and what a part was merged from."""
    names = {part.name for part in parts}
    for path in draft.iterdir():
        part = path.name.partition(".")[0]
        if (part.isdigit() and part not in names) or path.name.endswith(SPILLED) or path.name == leftover.NOTE:
            path.unlink()
    for path in (draft / LEXICAL).glob(f"*{LOCKS}"):
        path.unlink()
