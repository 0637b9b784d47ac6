"""Documents into and out of a collection: gathered beside what is served, then swapped in at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from retrieval.collection.entries import Entry
from retrieval.collection.manifest import Manifest
from retrieval.passage import Passage
from retrieval.query import Vectors


class Writer:
    """Changes to the current version; use `writing` to have one. From one thread. Memory does not grow with passages.

    Whatever ends it before `commit` is done leaves the version that was there.
    """

    @property
    def before(self) -> Manifest | None:
        """The version that changes are made to. None where there is none that can be built on: nothing was built yet,
        it is damaged, or it is another embedder's, language's or format's."""
        raise NotImplementedError

    def known(self) -> Mapping[str, Entry]:
        """The entries by id, as `before` has them: read on demand, ordered by id."""
        raise NotImplementedError

    def vectors(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """The vectors, float32 [dimensions], that are known already of some of these texts (`Passage.embedded`): from
        `before`, from what was added, and from a writer that was interrupted. To 16-bit precision."""
        raise NotImplementedError

    def note(self, entry: Entry) -> None:
        """List a document, in place of what was listed under its id; its passages are not touched."""
        raise NotImplementedError

    def remove(self, documents: Iterable[str]) -> None:
        """Remove the passages and the entries of documents, by id; one that is not there is no error."""
        raise NotImplementedError

    def add(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        """Add passages with their unit vectors, float32 [len(passages), dimensions]; any number, as often as you like.

        A document that changed is removed first. Raises ValueError for vectors that cannot be compared, for other
        counts, and for text that is not valid Unicode; OSError when the disk is full.
        """
        raise NotImplementedError

    def commit(self, built_by: Mapping[str, str]) -> Manifest:
        """Make what was noted, removed and added the current version, on disk before it is named. Once.

        Where nothing changed, the version stays what it is. Raises OSError; ValueError when a passage belongs to a
        document that was not noted.
        """
        raise NotImplementedError


@contextmanager
def writing(path: Path, embedder_identity: str, dimensions: int, language: str = "en") -> Iterator[Writer]:
    """Write to the collection in a folder, alone: another writer, in whatever process, waits until this one is done.

    `language` is an ISO 639-1 code that Snowball stems, or "" for words as they are.
    Raises OSError; ValueError for a language that is none of those.
    """
    raise NotImplementedError
