"""A folder of documents to a collection: what is new is read, split, compared and embedded; what is gone is removed.

Knows the order of the steps; each step is another module's business.

Invariants: a file that cannot be read is reported and left out, and never stops the others; the same files give the
same collection, whatever was there before; only text new to the collection is embedded, and what an interrupted build
embedded is used by the next; where nothing changed, nothing is written and no model loaded; no more than one batch of
passages is in memory.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from retrieval.collection import Entry, Manifest, Writer, writing
from retrieval.ingest import byhand
from retrieval.ingest.engine import Engine, LocalEngine
from retrieval.ingest.files import File, walk
from retrieval.ingest.progress import Progress, Report
from retrieval.ingest.reading import SPLITTER, Outcome
from retrieval.ingest.rules import Rule
from retrieval.ingest.seen import Cache, Seen
from retrieval.ingest.signatures import Originals
from retrieval.parsing import formats
from retrieval.passage import Passage
from retrieval.protocols import Embeds
from retrieval.query import Vectors

CACHE: Final = "ingest.db"


class NothingToIndex(Exception):
    """Raised when a folder is missing or gives no passage at all, and not because all was removed by hand; what was
    built before stays."""


def build(
    source: Path | None,
    target: Path,
    embedder: Embeds,
    report: Report,
    rules: Sequence[Rule] = (),
    engine: Engine | None = None,
    language: str = "en",
) -> Manifest:
    """Make `target` the collection of the documents under `source` and of those added by hand.

    Blocks for as long as the embedding takes. Raises NothingToIndex, EmbedderUnavailable, OSError, and ValueError for a
    language that is none; the collection that was there before then goes on serving.
    """
    if source and not source.is_dir():
        raise NothingToIndex(f"{source} is not a folder")
    with writing(target, embedder.identity, embedder.dimensions, language) as writer, Cache(target / CACHE) as cache:
        hand = byhand.load(target)
        all_rules = (*rules, *hand.rules)
        run = _Run(writer, cache, engine or LocalEngine(embedder), report, hand.removed)
        run.expect(_files(source, target, all_rules), rules)
        run.read(_files(source, target, all_rules))
        emptied = run.remove_vanished()
        if not (run.indexed or emptied):
            raise NothingToIndex(f"{source or target} holds nothing to index: {run.left_out} documents are left out")
        manifest = writer.commit({**formats.versions(), "splitter": str(SPLITTER)})
        cache.forget_others()
        if not run.changed:
            report(Progress("unchanged", run.total, run.total))
        return manifest


def _files(source: Path | None, target: Path, rules: Sequence[Rule]) -> Iterator[File]:
    added = byhand.folder(target)
    yield from walk(source, rules) if source else ()
    yield from walk(added, rules, f"{byhand.ADDED}/") if added.is_dir() else ()


class _Run:
    """One build, while it runs."""

    def __init__(self, writer: Writer, cache: Cache, engine: Engine, report: Report, removed: Collection[str]) -> None:
        self.total = self.indexed = self.left_out = 0
        self.changed = False
        self._writer, self._cache, self._engine, self._report, self._removed = writer, cache, engine, report, removed
        self._known = writer.known()
        self._originals = Originals(cache.database)
        self._gathered: list[Passage] = []
        self._embedded = 0

    def expect(self, files: Iterable[File], rules: Sequence[Rule]) -> None:
        """Count the files, and tell of rules that match none of them: one with a slip of the pen protects nothing."""
        idle = list(rules)
        for file in files:
            self.total += 1
            idle = [rule for rule in idle if not rule.matches(file.id)]
        for rule in idle:
            self._report(Progress("unmatched", 0, self.total, rule.match, "matches no file"))

    def read(self, files: Iterable[File]) -> None:
        """Read what changed; then, once more, the files of documents that were seen before but are not indexed."""
        missing: dict[str, File] = {}
        wanted: set[str] = set()
        for outcome in self._engine.read(self._counted(files), self._cache):
            if self._is_missing(outcome):
                missing[outcome.file.id] = outcome.file
                wanted.add(outcome.fingerprint)
        for outcome in self._engine.read(missing.values(), ()):
            if outcome.fingerprint in wanted and outcome.passages:
                self._add(outcome)
            elif outcome.fingerprint in wanted:  # the machine has less to give than the last time
                self._leave_out(Entry(outcome.id, outcome.fingerprint, failure=outcome.failure))
        self._flush()

    def remove_vanished(self) -> bool:
        """Whether all that is gone was removed by hand: then it is meant that nothing is left."""
        gone = [name for name in self._known if not self._cache.is_there(name)]
        self._writer.remove(gone)
        self.changed = self.changed or bool(gone)
        return bool(self._removed) and all(map(self._is_removed, gone))

    def _counted(self, files: Iterable[File]) -> Iterator[File]:
        for done, file in enumerate(files, 1):
            if file.id not in self._removed:
                yield file
            self._report(Progress("parse", done, self.total, file.id))

    def _is_missing(self, outcome: Outcome) -> bool:
        """Take an outcome in; True where its document is to be indexed but has not been parsed this time."""
        seen = self._seen(outcome)
        if seen.id in self._removed:
            return False
        if not self._cache.is_new(seen.id, outcome.fingerprint):
            self._tell(seen.id, f"has the id of another document ({outcome.file.id} {outcome.at})")
            return False
        if failure := (seen.failure and f"{outcome.at} {seen.failure}".strip()) or self._copied(seen):
            self._leave_out(Entry(seen.id, outcome.fingerprint, failure=failure))
        elif self._is_indexed(seen.id, outcome.fingerprint):
            self.indexed += 1
        elif outcome.passages:
            self._add(outcome)
        else:
            return True
        return False

    def _is_removed(self, document: str) -> bool:
        return any(f"{document}/".startswith(f"{name}/") for name in self._removed)

    def _seen(self, outcome: Outcome) -> Seen:
        known = self._cache.get(outcome.fingerprint)
        seen = known or Seen(outcome.id, outcome.failure, outcome.signature)
        if outcome.fingerprint and not known:
            self._cache.put(outcome.fingerprint, seen)
        return seen

    def _copied(self, seen: Seen) -> str:
        original = self._originals.original(seen.id, seen.signature)
        return f"says the same as {original}, which is indexed" if original else ""

    def _is_indexed(self, document: str, fingerprint: str) -> bool:
        entry = self._known.get(document)
        return entry is not None and not entry.failure and entry.fingerprint == fingerprint

    def _leave_out(self, entry: Entry) -> None:
        if self._known.get(entry.id) != entry:
            self._note(entry)
        self._tell(entry.id, entry.failure)

    def _tell(self, document: str, reason: str) -> None:
        self.left_out += 1
        self._report(Progress("left_out", self.left_out, self.total, document, reason))

    def _add(self, outcome: Outcome) -> None:
        self.indexed += 1
        self._note(Entry(outcome.id, outcome.fingerprint, outcome.title))
        self._gathered += outcome.passages
        if len(self._gathered) >= self._engine.chunk:
            self._flush()

    def _note(self, entry: Entry) -> None:
        self.changed = True
        if entry.id in self._known:
            self._writer.remove([entry.id])
        self._writer.note(entry)

    def _flush(self) -> None:
        """Embed what is gathered where no vector of the same text is known, and write all of it."""
        by_text: dict[str, list[Passage]] = {}
        for passage in self._gathered:
            by_text.setdefault(passage.embedded, []).append(passage)
        self._gathered = []
        known = self._writer.vectors(list(by_text))
        self._write([(by_text[text], vector) for text, vector in known.items()])
        missing = [text for text in by_text if text not in known]
        for positions, vectors in self._engine.embed(missing):
            texts = (missing[position] for position in positions)
            self._write([(by_text[text], vector) for text, vector in zip(texts, vectors, strict=True)])
            self._embedded += len(positions)
            self._report(Progress("embed", self._embedded, self._embedded))

    def _write(self, embedded: Sequence[tuple[list[Passage], Vectors]]) -> None:
        if embedded:
            passages = [passage for same, _ in embedded for passage in same]
            self._writer.add(passages, np.stack([vector for same, vector in embedded for _ in same]))
