"""A folder of documents to a collection on disk, the first time and every time after.

Knows the order of the steps; each step is another module's business.

Invariants: a file that cannot be read is reported and left out, and never stops the others; only text new to the
collection is embedded; where no file, parser or embedder changed, nothing is written and no model loaded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from retrieval import folder, index, parse
from retrieval.document import Document, Unreadable, identify, read
from retrieval.embed import BATCH, Embedder, Vectors
from retrieval.index import Collection, CollectionError, Manifest
from retrieval.passage import Passage
from retrieval.split import split

SPLITTER: Final = "1"  # raise it with every change to `split` or to the formats that moves a passage


class NothingToIndex(Exception):
    """Raised when a folder is missing or gives no passage at all; what was built before stays."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a build: `done` of `total` files parsed or passages embedded; or a file left out, and why."""

    step: Literal["unchanged", "parse", "embed", "left_out"]
    done: int
    total: int
    document: str = ""
    reason: str = ""


Report = Callable[[Progress], None]


def build(source: Path, target: Path, embedder: Embedder, on_progress: Report) -> Manifest:
    """Make `target` the collection of the documents under `source`. Blocks for as long as the embedding takes.

    Raises NothingToIndex, EmbedderUnavailable or OSError; the collection that was there before then goes on serving.
    """
    with folder.exclusive(target):
        files, built_by = _files(source), {**parse.versions(), "splitter": SPLITTER}
        sources = {name: _fingerprint(path, source) for name, path in files.items()}
        old = _previous(target, embedder)
        if old and (old.manifest.sources, old.manifest.built_by) == (sources, built_by):
            return _unchanged(old.manifest, on_progress)
        documents, failures = _documents(source, files, on_progress)
        passages = [passage for document in documents for passage in split(document, embedder.tokens)]
        if not passages:
            raise NothingToIndex(
                f"{source} holds nothing to index: {len(failures)} of {len(files)} files are unreadable"
            )
        vectors = _vectors(passages, old, embedder, on_progress)
        manifest = Manifest(
            embedder=embedder.identity,
            dimensions=embedder.dimensions,
            documents=len(documents),
            passages=len(passages),
            sources=sources,
            failures=failures,
            built_by=built_by,
        )
        return index.write(target, manifest, passages, vectors)


def _files(source: Path) -> dict[str, Path]:
    """Every file of a known format by its relative path, hidden ones left out."""
    if not source.is_dir():
        raise NothingToIndex(f"{source} is not a folder")
    paths = {identify(path, source): path for path in source.rglob("*")}
    return {
        name: path
        for name, path in sorted(paths.items())
        if path.suffix.lower() in parse.FORMATS and not path.is_dir() and "/." not in f"/{name}"
    }


def _fingerprint(path: Path, source: Path) -> str:
    try:
        return read(path, source).sha256
    except Unreadable as error:
        return error.reason


def _previous(target: Path, embedder: Embedder) -> Collection | None:
    """The collection to build on; one that is missing, damaged or of another embedder is built anew."""
    try:
        return Collection.load(target, embedder.identity)
    except CollectionError:
        return None


def _unchanged(manifest: Manifest, on_progress: Report) -> Manifest:
    total = len(manifest.sources)
    for name, reason in manifest.failures.items():
        on_progress(Progress("left_out", total, total, name, reason))
    on_progress(Progress("unchanged", total, total))
    return manifest


def _documents(source: Path, files: Mapping[str, Path], on_progress: Report) -> tuple[list[Document], dict[str, str]]:
    documents: list[Document] = []
    failures: dict[str, str] = {}
    for done, (name, path) in enumerate(files.items(), 1):
        try:
            documents.append(parse.parse(read(path, source)))
            on_progress(Progress("parse", done, len(files), name))
        except Unreadable as error:
            failures[name] = error.reason
            on_progress(Progress("left_out", done, len(files), name, error.reason))
    return documents, failures


def _vectors(passages: Sequence[Passage], old: Collection | None, embedder: Embedder, on_progress: Report) -> Vectors:
    """float32 [passages, dimensions]: those of the old collection where the text is the same, new ones elsewhere."""
    known = dict(zip((p.embedded for p in old.passages), old.vectors(), strict=True)) if old else {}
    missing = [text for text in dict.fromkeys(p.embedded for p in passages) if text not in known]
    for start in range(0, len(missing), BATCH):
        texts = missing[start : start + BATCH]
        known.update(zip(texts, embedder.encode(texts), strict=True))
        on_progress(Progress("embed", start + len(texts), len(missing)))
    return np.stack([known[passage.embedded] for passage in passages])
