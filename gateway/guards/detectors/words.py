"""A block list: words, whatever their case and width, and patterns. Pure.

A word counts where no letter or digit touches it; one that begins or ends in a script that parts no words (Chinese,
Japanese, Thai ...) counts wherever that end stands. Of a phrase the spaces may be any white space. Patterns are RE2's,
read over text whose case is left alone (`(?i)` makes them blind to it).
"""

from collections.abc import Iterable, Iterator

import re2

from gateway.exchange import Finding
from gateway.guards.detectors.folding import Folded
from gateway.guards.detectors.holding import Holding
from gateway.guards.detectors.rules import Rule, Rules, Span, compiled

WORD, PATTERN = "WORD", "PATTERN"
# Characters that a match of a pattern may have, which alone does not say it: streams hold back as many. Of a longer
# match in a whole text all is found.
PATTERN_REACH = 256
SPACES = 4  # characters of white space that may stand for one in a phrase
_UNPARTED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_BORDER_BEFORE, _BORDER_AFTER = r"(?:^|[^\pL\pN_])", r"(?:$|[^\pL\pN_])"
_UNPARTED_FIRST, _UNPARTED_LAST = compiled(rf"^{_UNPARTED}"), compiled(rf"{_UNPARTED}$")


class Words:
    """Finds `words`, as WORD, and what matches `patterns`, as PATTERN."""

    def __init__(self, words: tuple[str, ...] = (), patterns: tuple[str, ...] = ()) -> None:
        """Raises ValueError for a pattern that RE2 does not take, or a word of nothing."""
        folded = [_folded(word) for word in words]
        self._words = Rules([Rule(WORD, pattern) for pattern in _grouped(folded)], casefold=True)
        self._patterns = Rules([Rule(PATTERN, f"({_taken(pattern)})", _pieces) for pattern in patterns])
        longest = max((len(word) + word.count(" ") * SPACES for word in folded), default=0) + 1
        self.reach = max(longest, PATTERN_REACH if patterns else 0)
        self._whole = bool(patterns)
        self._holding = Holding(self.reach, max((word.count(" ") + 1 for word in folded), default=1))

    def find(self, text: str) -> list[Finding]:
        """Words in the order of the text, then patterns."""
        return self._words.find(text) + self._patterns.find(text)

    def held(self, text: str) -> int:
        """As `Guard.held`; all that the reach allows where there are patterns, of which nothing is known."""
        return min(len(text), self.reach) if self._whole else self._holding.held(text)


def _folded(word: str) -> str:
    folded = " ".join(Folded(word, casefold=True).text.split())
    if not folded:
        raise ValueError(f"`words` has {word!r}, of which nothing is to be seen")
    return folded


def _grouped(words: Iterable[str]) -> Iterator[str]:
    """One pattern for all words with the same borders; the longest first, so that none hides behind its beginning."""
    groups: dict[tuple[str, str], list[str]] = {}
    for word in sorted(set(words), key=len, reverse=True):
        before = "" if _UNPARTED_FIRST.search(word) else _BORDER_BEFORE
        after = "" if _UNPARTED_LAST.search(word) else _BORDER_AFTER
        groups.setdefault((before, after), []).append(re2.escape(word).replace("\\ ", rf"\s{{1,{SPACES}}}"))
    return (f"{before}({'|'.join(group)}){after}" for (before, after), group in groups.items())


def _taken(pattern: str) -> str:
    try:
        compiled(pattern)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        raise ValueError(f"`patterns` has {pattern!r}, which RE2 does not take: {reason}") from error
    return pattern


def _pieces(text: str, start: int, end: int) -> Iterator[Span]:
    """No finding is longer than the reach; nothing is none."""
    for begin in range(start, end, PATTERN_REACH):
        yield begin, min(begin + PATTERN_REACH, end)
