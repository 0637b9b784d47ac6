"""Which passages go into the prompt: the longest prefix that fits, none of which only repeats a better one.

Knows no tokens: whether passages fit is the caller's question. Invariant: passages stay in the order of their
relevance, so that a better passage never makes room for a worse one.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final

from retrieval.passage import Found

WORD: Final = re.compile(r"\w+")


def pack(found: Sequence[Found], fits: Callable[[Sequence[Found]], bool]) -> tuple[Found, ...]:
    """The longest prefix that fits, repetitions dropped.

    `fits` must be monotone (fewer passages never fit worse). It is called once where all fit, otherwise once more for
    each halving of their number.
    """
    some = distinct(found)
    if not some or fits(some):
        return some
    longest = bisect_left(range(1, len(some)), True, key=lambda count: not fits(some[:count]))
    return some[:longest]


def distinct(found: Sequence[Found]) -> tuple[Found, ...]:
    """Drop what says nothing new: the words of a passage, in order, all stand in one that ranks higher.

    Punctuation, case and markup do not count. A single other word does: "500 tokens" and "50 tokens" are two facts.
    """
    kept: dict[str, Found] = {}
    for one in found:
        words = f" {' '.join(WORD.findall(one.passage.text.casefold()))} "
        if not any(words in other for other in kept):
            kept[words] = one
    return tuple(kept.values())
