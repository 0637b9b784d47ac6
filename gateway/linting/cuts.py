"""Where a vocabulary must cut a known text: at how many places two tokens meet inside it, however it is tokenized.

For texts that begin and end with a quote, as names and constants in JSON do; what stands before and after is not known.
A bound for every tokenization, not only for the one that the tokenizer itself would choose.
"""

from collections.abc import Iterable
from functools import lru_cache

QUOTE = b'"'
KEPT = 4096  # names that come again with every request


class Cuts:
    """Of one vocabulary, given as the bytes of its tokens. Call it with a text in quotes."""

    def __init__(self, tokens: Iterable[bytes]) -> None:
        self._whole = frozenset(tokens)
        self.longest = max(map(len, self._whole))  # bytes, and so at least the characters
        quoted = [token for token in self._whole if QUOTE in token]
        self._wide = [token for token in quoted if token.count(QUOTE) > 1]
        self._ends = {token[at:] for token in quoted for at in _quotes(token)}
        self._begins = {token[: at + 1] for token in quoted for at in _quotes(token)}
        self._kept = lru_cache(KEPT)(self._cuts)

    def __call__(self, text: str) -> int:
        return self._kept(text.encode("utf-8", "surrogatepass"))

    def _cuts(self, text: bytes) -> int:
        if any(text in token for token in self._wide):
            return 0
        # Where a token may end, and how many have ended until there.
        fewest = {at: 1 for at in range(1, len(text)) if text[:at] in self._ends}
        for at in range(1, len(text)):
            for end in range(at + 1, min(at + self.longest, len(text) - 1) + 1):
                if at in fewest and text[at:end] in self._whole:
                    fewest[end] = min(fewest.get(end, len(text)), fewest[at] + 1)
        return min((cuts for at, cuts in fewest.items() if text[at:] in self._begins), default=0)


def _quotes(token: bytes) -> list[int]:
    return [at for at in range(len(token)) if token[at : at + 1] == QUOTE]
