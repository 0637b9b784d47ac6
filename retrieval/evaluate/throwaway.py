"""A corpus as a collection, to be measured and thrown away; kept in a cache, so that a second look costs no embedding.

Invariant: what is kept is found again only by the same corpus, embedder, language and way of splitting.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from retrieval.collection import Collection, CollectionError, Entry, Writer, writing
from retrieval.document import Document, Section
from retrieval.evaluate.beir import Judged, Text
from retrieval.ingest.reading import SPLITTER
from retrieval.passage import Passage
from retrieval.protocols import Embeds
from retrieval.query import Vectors
from retrieval.split import LIMIT, split

BATCH: Final = 64  # documents that are embedded together, and after which progress is told
DIGITS: Final = 16

Report = Callable[[int, int], None]
"""Told how many documents of how many are indexed."""


def collection(judged: Judged, embedder: Embeds, cache: Path, report: Report, language: str = "en") -> Collection:
    """The collection of a corpus, from `cache` if it is there. Blocks for as long as the embedding takes; what was done
    when it was interrupted is not done again.

    Raises EmbedderUnavailable, OSError, and ValueError for a language that nothing stems.
    """
    made_of = "\n".join([judged.digest, embedder.identity, str(SPLITTER), language])
    path = cache / hashlib.sha256(made_of.encode()).hexdigest()[:DIGITS]
    with suppress(CollectionError):
        return Collection.load(path, embedder.identity)
    with writing(path, embedder.identity, embedder.dimensions, language) as writer:
        if writer.before is None:  # or another process has written it while this one waited
            _write(writer, judged.corpus, embedder, report)
    return Collection.load(path, embedder.identity)


def _write(writer: Writer, corpus: Sequence[Text], embedder: Embeds, report: Report) -> None:
    for first in range(0, len(corpus), BATCH):
        batch = corpus[first : first + BATCH]
        passages = [passage for text in batch for passage in _passages(text, embedder)]
        for text in batch:
            writer.note(Entry(text.id, "", text.title))
        writer.add(passages, _vectors(writer, passages, embedder))
        report(first + len(batch), len(corpus))
    writer.commit({"splitter": str(SPLITTER)})


def _passages(text: Text, embedder: Embeds) -> list[Passage]:
    """Title and text are the document; where one is blank, it is the other."""
    body = text.text if text.text.strip() else text.title
    if not body.strip():
        return []
    section = Section((text.title,) if text.title.strip() else (), body, 0)
    document = Document(text.id, text.title, body, (section,))
    return split(document, embedder.tokens, min(LIMIT, embedder.window))


def _vectors(writer: Writer, passages: Sequence[Passage], embedder: Embeds) -> Vectors:
    texts = [passage.embedded for passage in passages]
    known = writer.vectors(texts)
    missing = list(dict.fromkeys(text for text in texts if text not in known))
    known |= dict(zip(missing, embedder.encode(missing), strict=True))
    return np.array([known[text] for text in texts], np.float32).reshape(len(texts), embedder.dimensions)
