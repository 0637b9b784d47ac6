"""BM25 over words, by Tantivy: one index of all passages, so that how rare a word is counts over all of them.

Words are split at what is neither letter nor digit, in lower case, without stop words, stemmed by Snowball in the
language of the collection; k1 is 1.2 and b 0.75, as in Robertson and Zaragoza, "The Probabilistic Relevance Framework:
BM25 and Beyond" (2009). Knows rows and texts; neither files of versions nor vectors.

Invariants: a scope is part of the query, so that what it does not allow is never ranked; access is a list of what may
be seen, not of what may not, so that a set of labels nobody thought of is seen by nobody.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import tantivy
from tantivy import Filter, Occur, Query, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

from retrieval.encodable import encodable
from retrieval.passage import Passage
from retrieval.protocols import NOTHING, Ranked, Rows
from retrieval.query import Scope

ROW, TEXT, ACCESS, METADATA = "row", "text", "access", "metadata"
WORDS: Final = "words"  # the name of our analyzer in the index
# ISO 639-1 codes of the languages that Snowball stems, and of those that Tantivy has no stop words for.
LANGUAGES: Final = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
WITHOUT_STOP_WORDS: Final = frozenset({"ar", "el", "ro", "ta", "tr"})
MAX_WORD: Final = 64  # bytes; what is longer is no word (a key, base64), and nobody types it
MAX_WORDS: Final = 256  # of a question, distinct; a question of 8 kB could have a thousand, each a list to walk
HEAP: Final = 64_000_000  # bytes for one thread of the writer; Tantivy asks for 15 MB at least


class Lexical:
    """An index that was written, for any thread. It keeps its files open."""

    def __init__(self, index: tantivy.Index, language: str) -> None:
        self._schema, self._searcher, self._analyzer = index.schema, index.searcher(), analyzer(language)

    @classmethod
    def open(cls, folder: Path, language: str) -> Self:
        """Map the files in a folder. Raises ValueError or OSError when they are none of Tantivy's."""
        index = tantivy.Index.open(str(folder))
        index.config_reader("manual")  # the files never change: there is nothing to watch for
        return cls(index, language)

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, text: str, k: int, where: Query | None = None) -> Ranked:
        """The `k` best rows for the words of a text, best first, equals by row; `where` is of `within`."""
        words = list(dict.fromkeys(self._analyzer.analyze(encodable(text))))[:MAX_WORDS]
        if not words or k < 1:
            return NOTHING
        query = Query.boolean_query([(Occur.Should, Query.term_query(self._schema, TEXT, w, "freq")) for w in words])
        if where is not None:
            query = Query.boolean_query([(Occur.Must, query), (Occur.Must, where)])
        hits = self._searcher.search(query, k, count=False).hits
        return self._ranked(hits) if hits else NOTHING

    def within(self, scope: Scope, labels: Iterable[frozenset[str]]) -> Query | None:
        """The passages that a scope may see, for `search`; None for all of them. `labels` is every set of access labels
        that a passage has."""
        known = set(labels)
        seen = {some for some in known if some <= scope.access}
        clauses = [] if seen == known else [self._one_of(ACCESS, map(access_term, seen))]
        for key, values in scope.where.items():
            clauses.append(self._one_of(METADATA, (metadata_term(key, value) for value in values)))
        unscored = [(Occur.Must, Query.const_score_query(clause, 0.0)) for clause in clauses]
        return Query.boolean_query(unscored) if unscored else None

    def _one_of(self, field: str, terms: Iterable[str]) -> Query:
        values = list(terms)
        return Query.term_set_query(self._schema, field, values) if values else Query.empty_query()

    def _ranked(self, hits: Sequence[tuple[Any, tantivy.DocAddress]]) -> Ranked:
        scores = np.array([score for score, _ in hits], np.float32)
        rows = np.array(self._searcher.fast_field_values(ROW, [address for _, address in hits]), np.int64)
        order = np.lexsort((rows, -scores))
        return Ranked(rows[order], scores[order])


class LexicalWriter:
    """Adds rows to the index in a folder, and removes them. Tantivy replaces files and never changes one, so that those
    it finds there may be links to another index's."""

    def __init__(self, folder: Path, language: str) -> None:
        self._index = tantivy.Index(schema(), str(folder))
        self._index.register_tokenizer(WORDS, analyzer(language))
        self._writer = self._index.writer(HEAP, 1)

    def add(self, row: int, passage: Passage) -> None:
        """Raises ValueError for a text that is not valid Unicode."""
        document = tantivy.Document()
        document.add_unsigned(ROW, row)
        document.add_text(TEXT, passage.embedded)
        document.add_text(ACCESS, access_term(frozenset(passage.access)))
        for key, value in passage.metadata.items():
            document.add_text(METADATA, metadata_term(key, value))
        self._writer.add_document(document)

    def remove(self, rows: Rows) -> None:
        """What is removed goes on counting for how rare a word is until Tantivy merges its segment."""
        if len(rows):  # by query: deleting by a term takes a number for a signed one, and finds nothing
            self._writer.delete_documents_by_query(Query.term_set_query(self._index.schema, ROW, rows.tolist()))

    def commit(self) -> None:
        """Write everything, and wait for the files. Call it once, last. Raises OSError."""
        try:
            self._writer.commit()
            self._writer.wait_merging_threads()
        except ValueError as error:  # Tantivy's, for a disk that is full
            raise OSError(f"the index of words cannot be written: {error}") from error


def schema() -> tantivy.Schema:
    """Of the index. Access and metadata are whole terms, without length or count."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field(ROW, indexed=True, fast=True)
    builder.add_text_field(TEXT, tokenizer_name=WORDS, index_option="freq")
    for name in (ACCESS, METADATA):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    return builder.build()


def analyzer(language: str) -> TextAnalyzer:
    """From a text to its terms. Raises ValueError for a language that is neither in LANGUAGES nor ""."""
    if language and language not in LANGUAGES:
        raise ValueError(f"no stemmer for language {language!r}: use one of {', '.join(LANGUAGES)}, or '' for none")
    words = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.remove_long(MAX_WORD)).filter(Filter.lowercase())
    if language and language not in WITHOUT_STOP_WORDS:
        words = words.filter(Filter.stopword(LANGUAGES[language]))
    if language:
        words = words.filter(Filter.stemmer(LANGUAGES[language]))
    return words.build()


def access_term(labels: frozenset[str]) -> str:
    """One term for a set of labels, of a length that Tantivy never drops."""
    return _term(sorted(labels))


def metadata_term(key: str, value: str) -> str:
    """One term for a key with a value."""
    return _term([key, value])


def _term(value: list[str]) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]
