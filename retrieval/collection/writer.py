"""Documents into and out of a collection: gathered beside what is served, then swapped in at once.

Knows what changes; how a part is written and how a version is sealed is the business of others.

Invariants: whatever ends a writer before the swap leaves the version that was there; memory does not grow with passages
(but for a byte each, for what is removed).
"""

import errno
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from retrieval.collection import digests, files, known, layout, leftover, manifest
from retrieval.collection.collection import Collection
from retrieval.collection.drafting import PartDraft, of_unit_length
from retrieval.collection.entries import DOCUMENTS, Entry, Listing
from retrieval.collection.errors import CollectionError, CorruptCollection, WrongEmbedder
from retrieval.collection.good import load_last_good
from retrieval.collection.leftover import Label
from retrieval.collection.manifest import Manifest
from retrieval.collection.part import Bitmap, Part
from retrieval.collection.sealing import Stays, seal, tidy
from retrieval.lexical import analyzer
from retrieval.passage import Passage
from retrieval.protocols import Rows
from retrieval.query import Vectors

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Writer:
    """Changes to the current version; use `writing` to have one. From one thread. Memory does not grow with passages.

    Whatever ends it before `commit` is done leaves the version that was there.
    """

    def __init__(self, path: Path, label: Label, language: str, base: Collection | None, kept: list[str]) -> None:
        self._path, self._label, self._language, self._base, self._kept = path, label, language, base, kept
        self._draft, self._leftover = leftover.begin(path, label)
        if base:
            files.copy(path / base.version / DOCUMENTS, self._draft / DOCUMENTS, base.manifest.files[DOCUMENTS])
        self._listing = Listing(self._draft / DOCUMENTS)
        self._part = PartDraft(self._draft, label.part, label.dimensions)
        self._live = [part.all_live() for part in base.parts] if base else []
        self._dropped: list[Rows] = []  # positions in the new part

    @property
    def before(self) -> Manifest | None:
        """The version that changes are made to. None where there is none that can be built on: nothing was built yet,
        it is damaged, or it is another embedder's, language's or format's."""
        return self._base.manifest if self._base else None

    def known(self) -> Mapping[str, Entry]:
        """The entries by id, as `before` has them: read on demand, ordered by id."""
        return self._base.entries() if self._base else {}

    def vectors(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """The vectors, float32 [dimensions], that are known already of some of these texts (`Passage.embedded`): from
        `before`, from what was added, and from a writer that was interrupted. To 16-bit precision."""
        asked = {digests.of_text(text): text for text in texts}
        found: dict[str, Vectors] = {}
        for source in (*(self._base.parts if self._base else ()), self._part, self._leftover):
            if source is None:
                continue
            places = dict(source.passages.made_of(digest for digest, text in asked.items() if text not in found))
            if places:
                vectors = source.reconstruct(np.array(list(places.values())))
                whole = zip(places, vectors, of_unit_length(vectors), strict=True)  # after a power cut some may be torn
                found.update((asked[digest], vector) for digest, vector, usable in whole if usable)
        return found

    def note(self, entry: Entry) -> None:
        """List a document, in place of what was listed under its id; its passages are not touched."""
        self._listing.note(entry)

    def remove(self, documents: Iterable[str]) -> None:
        """Remove the passages and the entries of documents, by id; one that is not there is no error."""
        for document in documents:
            self._listing.drop(document)
            for part, live in self._earlier():
                live[part.passages.of(document)] = False
            self._dropped.append(self._part.passages.of(document))  # as it may have been added by this writer

    def add(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        """Add passages with their unit vectors, float32 [len(passages), dimensions]; any number, as often as you like.

        A document that changed is removed first. Raises ValueError for vectors that cannot be compared, for other
        counts, and for text that is not valid Unicode; OSError when the disk is full.
        """
        for document in {passage.document for passage in passages}:
            if any(live[part.passages.of(document)].any() for part, live in self._earlier()):
                raise ValueError(f"document {document!r} is in the collection: remove it before adding its passages")
        self._part.add(passages, vectors)

    def commit(self, built_by: Mapping[str, str]) -> Manifest:
        """Make what was noted, removed and added the current version, on disk before it is named. Once.

        Where nothing changed, the version stays what it is. Raises OSError; ValueError when a passage belongs to a
        document that was not noted.
        """
        if self._base and not self._changed() and built_by == self._base.manifest.built_by:
            return self._base.manifest
        self._check_listed()
        described = self._sealed(built_by)
        layout.place(self._draft, self._path / described.version)
        layout.point(self._path, [described.version, *self._kept])
        layout.prune(self._path, [described.version, *self._kept])
        return described

    def close(self) -> None:
        """Let go of the files. What was not committed is not there; its vectors are, for the next writer."""
        self._listing.close()
        self._part.close()

    def _changed(self) -> bool:
        removed = any((live != part.all_live()).any() for part, live in self._earlier())
        return bool(len(self._part) or removed or self._listing.changed)

    def _check_listed(self) -> None:
        live = self._added()
        for document in self._part.passages.documents():
            if document not in self._listing and live[self._part.passages.of(document)].any():
                raise ValueError(f"document {document!r} has passages but was not noted")

    def _sealed(self, built_by: Mapping[str, str]) -> Manifest:
        """The manifest of the draft, which becomes a whole version."""
        stays = Stays(self._path / self._base.version, self._base, self._live) if self._base else None
        parts = seal(self._draft, self._language, stays, self._part, self._added())
        described = self._described(built_by, parts)
        collection = Collection.of(self._draft, self._path.name, described)
        answers = known.answers(collection, collection.rows(), collection.everything)
        tidy(self._draft, parts)
        before = self._base.manifest.files if self._base else {}
        made = files.digested(self._draft, self._path / (self._base.version if self._base else ""), before)
        return manifest.write(self._draft, replace(described, known=answers, files=made))

    def _described(self, built_by: Mapping[str, str], parts: tuple[manifest.Part, ...]) -> Manifest:
        listed, failed = len(self._listing), self._listing.failed()
        self._listing.close()
        return Manifest(
            embedder=self._label.embedder,
            dimensions=self._label.dimensions,
            language=self._language,
            documents=listed - failed,
            passages=sum(int(np.count_nonzero(live)) for live in [*self._live, self._added()]),
            left_out=failed,
            built_by=dict(built_by),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            parts=parts,
        )

    def _earlier(self) -> Iterator[tuple[Part, Bitmap]]:
        """The parts of the version before, and what of them stays."""
        return zip(self._base.parts if self._base else (), self._live, strict=True)

    def _added(self) -> Bitmap:
        """What of the new part stays."""
        live = np.ones(len(self._part), np.bool_)
        for positions in self._dropped:
            live[positions] = False
        return live


@contextmanager
def writing(path: Path, embedder_identity: str, dimensions: int, language: str = "en") -> Iterator[Writer]:
    """Write to the collection in a folder, alone: another writer, in whatever process, waits until this one is done.

    `language` is an ISO 639-1 code that Snowball stems, or "" for words as they are.
    Raises OSError; ValueError for a language that is none of those; CorruptCollection when the version that is built on
    is damaged in the meantime.
    """
    analyzer(language)
    with layout.exclusive(path):
        base, kept = _base(path, embedder_identity, dimensions, language)
        number = 1 + max((int(part.name) for part in base.manifest.parts), default=-1) if base else 0
        label = Label(embedder_identity, dimensions, str(number))
        try:
            with closing(Writer(path, label, language, base, kept)) as writer:
                yield writer
        except sqlite3.Error as error:
            raise OSError(f"{path} cannot be written: {error}") from error
        except files.Altered as error:
            raise CorruptCollection(path.name, f"was damaged while it was built on: {error}") from error
        shutil.rmtree(path / layout.DRAFT, ignore_errors=True)  # of one that changed nothing


def _base(path: Path, embedder: str, dimensions: int, language: str) -> tuple[Collection | None, list[str]]:
    """What can be built on; and the version that is kept beside the new one, for a rollback or in case of damage."""
    try:
        found = load_last_good(path, embedder).collection
    except WrongEmbedder:
        with suppress(OSError, ValueError):
            return None, [layout.current(path)]  # good for who goes back to that embedder
        return None, []
    except CollectionError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL:
            raise error.__cause__ from error  # no space to read it with: it is as good as it was
        return None, []
    same = (found.manifest.dimensions, found.manifest.language) == (dimensions, language)
    return (found if same else None), [found.version]
