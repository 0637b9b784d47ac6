"""From the passages that were chosen to the part of a prompt that holds them, and back from an answer to what it cites.

    some = pack(found, fits)            repetitions dropped, the longest prefix that there is room for
    some = Orders().of(owner, some)     best first, second best last; one set of passages always in one order
    listing = listed(some, neutral, secret)   numbered as the prompt lists them, inside a fence
    citations(answer, some)             what the answer's `[n]` stand for

Knows no tokens, no templates and no model: whether passages fit, and what a control token is, is the caller's business.
"""

from retrieval.pack.cited import MARK, Citation, citations, numbers
from retrieval.pack.listing import Listing, Numbered, listed
from retrieval.pack.order import Orders, ends
from retrieval.pack.room import distinct, pack

__all__ = [
    "MARK",
    "Citation",
    "Listing",
    "Numbered",
    "Orders",
    "citations",
    "distinct",
    "ends",
    "listed",
    "numbers",
    "pack",
]
