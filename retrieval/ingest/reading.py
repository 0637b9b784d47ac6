"""Files to passages: what one process does by itself, on this machine or on another.

Invariant: what comes of a file follows from its bytes, its id and its rules alone; its fingerprint changes whenever one
of these does, or the parser's version or the splitter's.
"""

import hashlib
import json
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from retrieval.document import Document, Unreadable
from retrieval.ingest.files import File, opened
from retrieval.ingest.signatures import signature
from retrieval.parsing.formats import format_of
from retrieval.parsing.sandbox import Parsed, Sandbox
from retrieval.passage import Passage
from retrieval.split import LIMIT, Tokens, passages

MAX_PASSAGES: Final = 10_000  # of one document: eight books; of a file of 20 MB without words it would be 100,000
TOO_MANY: Final = f"gives more than {MAX_PASSAGES:,} passages: split it"
SPLITTER: Final = 2  # raise it with every change to `split` or to what formats have in common that moves a passage


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a document of a file came to: `passages` and `signature`, or a `failure`; or none of them, and then it has
    been seen before. `at` says where in the file it is. `fingerprint` is "" where what failed is the file itself."""

    file: File
    id: str
    fingerprint: str = ""
    at: str = ""
    title: str = ""
    failure: str = ""
    passages: tuple[Passage, ...] = ()
    signature: bytes = b""


class Reader:
    """Reads files one after the other, through a process with limits. Close it."""

    def __init__(self, tokens: Tokens, window: int) -> None:
        self._tokens, self._limit = tokens, min(LIMIT, window)
        self._sandbox = Sandbox()

    def close(self) -> None:
        self._sandbox.close()

    def read(self, file: File, seen: Container[str]) -> Iterator[Outcome]:
        """The documents of a file; those whose fingerprint is in `seen` are not parsed."""
        if file.failure:
            yield Outcome(file, file.id, failure=file.failure)
            return
        try:
            with opened(file) as descriptor:
                wanted = self._wanted(file, seen)
                for parsed in self._sandbox.read(descriptor, file.id, wanted):
                    yield self._outcome(file, parsed)
        except Unreadable as error:
            yield Outcome(file, file.id, failure=error.reason)

    def _wanted(self, file: File, seen: Container[str]) -> Callable[[str], bool]:
        return lambda digest: self._fingerprint(file, digest) not in seen

    def _outcome(self, file: File, parsed: Parsed) -> Outcome:
        fingerprint = self._fingerprint(file, parsed.digest) if parsed.digest else ""
        if parsed.document is None:
            return Outcome(file, parsed.id, fingerprint, parsed.at, failure=parsed.failure)
        document = _labelled(parsed.document, file)
        cut = tuple(islice(passages(document, self._tokens, self._limit), MAX_PASSAGES + 1))
        if len(cut) > MAX_PASSAGES:
            return Outcome(file, document.id, fingerprint, parsed.at, failure=TOO_MANY)
        return Outcome(
            file=file,
            id=document.id,
            fingerprint=fingerprint,
            at=parsed.at,
            title=document.title,
            passages=cut,
            signature=signature(document),
        )

    def _fingerprint(self, file: File, digest: str) -> str:
        format = format_of(file.id)
        assert format is not None  # `walk` finds no other
        made_by = [format.edition, format.versions(), SPLITTER, self._limit]
        facts = json.dumps([digest, made_by, file.access, sorted(file.metadata.items())])
        return hashlib.sha256(facts.encode()).hexdigest()[:32]


def _labelled(document: Document, file: File) -> Document:
    """With what the rules say: their labels narrow further, and their metadata counts before the document's own."""
    access = tuple(sorted({*document.access, *file.access}))
    return replace(document, access=access, metadata={**document.metadata, **file.metadata})
