"""Do two answers say the same? True, False, or None where that cannot be told from here. It knows no question.

By value where both are JSON; else by their words and the signs that mean something (-5, C++, !=), and where these
differ by the cosine of their embeddings. On the STS
benchmark's sentence pairs (development half, 4,542), 93% of those at or above SAME with equal numbers and negations are
alike (3.5 of 5 or more), and 3% of those below OTHER. In between nobody is called wrong or right.
"""

import asyncio
import re

import orjson

from gateway.caching.vectors import whole
from gateway.similarity.reading import taken_apart
from gateway.similarity.vetoes import contradict
from retrieval.embed import Embedder
from retrieval.pack import MARK
from serving.events import Completion

SAME, OTHER = 0.9, 0.6
SHORT = 4  # words: a label, a name, yes or no. Two of them are the same only if they are equal

_SPACE = re.compile(r"\s+")


def equal(one: Completion, other: Completion) -> bool:
    """Whether two answers are one to whoever reads them: by value where they are JSON, else by their words."""
    first, second = said(one), said(other)
    return first is not None and second is not None and _content(first) == _content(second)


class Agreement:
    """Compares answers of one choice and plain text; of others nothing is told."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def same(self, kept: Completion, fresh: Completion) -> bool | None:
        one, other = said(kept), said(fresh)
        if one is None or other is None:
            return None
        if equal(kept, fresh):
            return True
        if _value(one) is not None or _value(other) is not None:
            return False
        one, other = _plain(one), _plain(other)
        told = await asyncio.to_thread(_by_words, one, other)  # of long answers it takes a tenth of a second
        return await self._alike(one, other) if told is None else told

    async def _alike(self, one: str, other: str) -> bool | None:
        vectors = await whole(self._embedder, [one, other])
        if vectors is None:
            return None
        cosine = float(vectors[0] @ vectors[1])
        return True if cosine >= SAME else False if cosine < OTHER else None


def said(completion: Completion) -> str | None:
    """The text of an answer of one choice; None where it is more than that."""
    if len(completion.choices) != 1 or completion.choices[0].message.get("tool_calls"):
        return None
    text = completion.choices[0].message.get("content")
    return text.strip() if isinstance(text, str) else None


def _by_words(one: str, other: str) -> bool | None:
    """None where they neither are the same nor contradict each other."""
    a, b = taken_apart(one), taken_apart(other)
    if a.forms == b.forms or min(len(a.forms), len(b.forms)) <= SHORT:
        return a.forms == b.forms
    return False if contradict(a, b) else None


def _content(text: str) -> str | bytes:
    return _value(text) or _plain(text)


def _plain(text: str) -> str:
    """In one line, and without the numbers of passages, which differ from question to question."""
    return _SPACE.sub(" ", MARK.sub("", text)).strip()


def _value(text: str) -> bytes | None:
    """The JSON object or array that it is, in one way of writing (to Python 1 is True); else None."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return None
