"""Which sentences of an answer find no support in the passages that they cite: by their words and numbers.

A sentence is held against the passages that it cites, or against all where it cites none. It has support where half of
its words (stemmed, without stop words, as BM25 reads them) and all of its numbers stand there. That costs a millisecond
and no model; it sees what an answer brings from elsewhere, and neither a "not" nor two facts that changed places.

Measured on reference answers of mtRAG-UN (IBM/mt-rag-benchmark, Apache-2.0; 171 turns, 763 sentences), each held
against the passages that it was written from and, drawn with seed 0, against those of another conversation about the
same collection: of the unsupported 92% are flagged (recall), of the supported 9%, so that where half of all sentences
are without support, 91% of the flagged are (precision). What is flagged wrongly is mostly small talk or a summary in
other words; an answer in another language than the passages is flagged whole. So it is told, and refuses nothing.

Knows no prompt: passages come in the order in which it numbered them. Pure.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from tantivy import TextAnalyzer

from retrieval.encodable import encodable
from retrieval.lexical import analyzer
from retrieval.pack.cited import MARK, numbers
from retrieval.passage import Found

SHARE: Final = 0.5  # of a sentence's words: at 0.4 87% of the unsupported are flagged (7% wrongly), at 0.6 97% (13%)
FEWEST: Final = 4  # words; "Yes." and "The passages do not say." state nothing that could have support
# Up to a full stop and the citations behind it, or to the end of the line.
SENTENCE: Final = re.compile(r"\S.*?(?:[.!?…](?:\s*\[\d[\d, ]*\])*(?=\s|\Z)|$)", re.MULTILINE)
NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")

Words = frozenset[str]
Span = tuple[int, int]


def unsupported(text: str, packed: Sequence[Found], language: str) -> list[Span]:
    """The sentences without support: their first and after-last character. `language` is the collection's; where its
    words are not stemmed (""), they are not compared and nothing is flagged."""
    if not packed or not language:
        return []
    said = [_said(f"{one.passage.heading}\n{one.passage.text}", language) for one in packed]
    return [match.span() for match in SENTENCE.finditer(text) if not _supported(match[0], said, language)]


def _supported(sentence: str, said: Sequence[tuple[Words, Words]], language: str) -> bool:
    words, figures = _said(MARK.sub(" ", sentence), language)
    if len(words) < FEWEST:
        return True
    cited = numbers(sentence)
    held = [said[number - 1] for number in cited if 1 <= number <= len(said)] if cited else said
    known = frozenset[str]().union(*(one for one, _ in held))
    known_figures = frozenset[str]().union(*(one for _, one in held))
    return len(words & known) >= SHARE * len(words) and figures <= known_figures


def _said(text: str, language: str) -> tuple[Words, Words]:
    """The words of a text, and its numbers."""
    return frozenset(_analyzer(language).analyze(encodable(text))), frozenset(_figures(text))


def _figures(text: str) -> Iterator[str]:
    """Without the commas of thousands, which only some write."""
    return (match[0].replace(",", "") for match in NUMBER.finditer(text))


@lru_cache
def _analyzer(language: str) -> TextAnalyzer:
    return analyzer(language)
