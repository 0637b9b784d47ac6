"""Which passages go into the prompt, and which of them an answer cited.

Knows no tokens and no templates: whether passages fit is the caller's question, answered by rendering and counting.

Invariants: passages stay in the order of relevance and keep it as their number, the first being [1]; what is packed is
the longest prefix that fits, so that a better passage never makes room for a worse one.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from retrieval.passage import Found

MARK: Final = re.compile(r"\[(\d{1,4}(?:\s*,\s*\d{1,4})*)\]")  # [2], [1, 3]
WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Citation:
    """A number in an answer and the passage behind it; offsets count characters of the document's text."""

    number: int
    document: str
    heading: str
    passage: str
    start: int
    end: int
    score: float


def pack(found: Sequence[Found], fits: Callable[[Sequence[Found]], bool]) -> tuple[Found, ...]:
    """The longest prefix that fits, repetitions dropped.

    `fits` must be monotone (fewer passages never fit worse). It is called once where all fit, otherwise once more for
    each halving of their number.
    """
    distinct = _distinct(found)
    if not distinct or fits(distinct):
        return distinct
    longest = bisect_left(range(1, len(distinct)), True, key=lambda count: not fits(distinct[:count]))
    return distinct[:longest]


def citations(text: str, packed: Sequence[Found]) -> tuple[list[Citation], list[int]]:
    """The passages an answer cites as `[n]`, each once in order of appearance, and the numbers without a passage."""
    marks = (number for group in MARK.findall(text) for number in group.split(","))
    numbers = list(dict.fromkeys(int(number) for number in marks))
    known = [number for number in numbers if 1 <= number <= len(packed)]
    return [_citation(number, packed[number - 1]) for number in known], [n for n in numbers if n not in known]


def _citation(number: int, found: Found) -> Citation:
    passage = found.passage
    return Citation(
        number, passage.document, passage.heading, passage.id, passage.start, passage.end, round(found.score, 4)
    )


def _distinct(found: Sequence[Found]) -> tuple[Found, ...]:
    """Drop what says nothing new: the words of a passage, in order, all stand in one that ranks higher.

    Punctuation, case and markup do not count. A single other word does: "500 tokens" and "50 tokens" are two facts.
    """
    kept: dict[str, Found] = {}
    for one in found:
        words = f" {' '.join(WORD.findall(one.passage.text.casefold()))} "
        if not any(words in other for other in kept):
            kept[words] = one
    return tuple(kept.values())
