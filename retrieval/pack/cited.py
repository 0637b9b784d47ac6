"""What an answer cites: the numbers in brackets, and the passages that the prompt listed under them.

Knows no prompt: passages come in the order in which it numbered them, from 1.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from retrieval.passage import Found

MARK: Final = re.compile(r"\[(\d{1,4}(?:\s*,\s*\d{1,4})*)\]")  # [2], [1, 3]


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


def numbers(text: str) -> list[int]:
    """The numbers that a text cites, each once, in order of appearance."""
    return list(dict.fromkeys(int(number) for group in MARK.findall(text) for number in group.split(",")))


def citations(text: str, packed: Sequence[Found]) -> tuple[list[Citation], list[int]]:
    """The passages an answer cites as `[n]`, each once in order of appearance, and the numbers without a passage."""
    cited = numbers(text)
    known = [number for number in cited if 1 <= number <= len(packed)]
    return [_citation(number, packed[number - 1]) for number in known], [n for n in cited if n not in known]


def _citation(number: int, found: Found) -> Citation:
    passage = found.passage
    return Citation(
        number, passage.document, passage.heading, passage.id, passage.start, passage.end, round(found.score, 4)
    )
