"""What speaks against serving a similar question's answer: differences that cosine similarity hardly sees. Pure.

A question about 500 years and one about 50 have cosine 0.99, and so have a question and its negation. Numbers and
negations must be the same. (More, and the calibration of the threshold itself, belong here as they are measured.)
"""

import re
from collections import Counter

_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nor|neither|nothing|without|cannot|can't|\w+n't|un\w{4,}able|dis(?:able|allow|connect)\w*)\b",
    re.I,
)


def veto(cached: str, asked: str) -> str | None:
    """Why the cached question's answer must not be served, in words; None when nothing speaks against it."""
    if Counter(_NUMBER.findall(cached)) != Counter(_NUMBER.findall(asked)):
        return "its numbers"
    if len(_NEGATION.findall(cached)) != len(_NEGATION.findall(asked)):
        return "a negation"
    return None
