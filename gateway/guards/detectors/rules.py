"""Rules: an RE2 pattern each, with what makes a candidate a finding (a checksum, a word before it). Pure.

Patterns run on RE2 alone, never on Python's `re`: a common e-mail pattern takes that over 10 s for 100 KB of `a`.
RE2 answers one search in linear time; that all searches of one text are linear too takes bounded repetitions, for
else each could run to the end of the text again. Checks may use `re` inside libraries, on candidates of bounded length.

Invariants: each candidate is no longer than the rule's pattern; a text is encoded once; findings never hold the text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import re2

from gateway.exchange import Finding
from gateway.guards.detectors.folding import Folded

Span = tuple[int, int]
BEFORE = 48  # characters before a candidate in which its label is looked for: `passport number (EU, UK):`
_MEMORY = (
    64 * 1024 * 1024
)  # bytes at most for RE2's automata, built as texts need them; beyond, it is slower, not wrong


def compiled(pattern: str) -> Any:
    """For texts and for their UTF-8, where offsets are bytes. Raises re2.error, with RE2's words."""
    options = re2.Options()
    options.max_mem, options.log_errors = _MEMORY, False
    return re2.compile(pattern, options=options)


def always(text: str, start: int, end: int) -> Iterator[Span]:
    yield start, end


def checked(valid: Callable[[str], bool]) -> Callable[[str, int, int], Iterator[Span]]:
    """The whole candidate, where it is valid."""

    def spans(text: str, start: int, end: int) -> Iterator[Span]:
        if valid(text[start:end]):
            yield start, end

    return spans


@dataclass(frozen=True)
class Rule:
    """What finds one kind. Of the `pattern`, group 1 is the candidate, where it has one.

    `spans` says what of a candidate counts (text, start, end); where it has walked through all of it (`walked`), it is
    not looked at again from its second character on. `label` is a pattern of words, without case, of which some must
    stand before a candidate, in its line and with no digit between.
    """

    kind: str
    pattern: str
    spans: Callable[[str, int, int], Iterable[Span]] = always
    label: str | None = None
    walked: bool = False

    @property
    def sign(self) -> str:
        """A pattern without which there is nothing to find."""
        return self.pattern if self.label is None else f"(?i:{self.label})"

    @cached_property
    def _pattern(self) -> Any:
        return compiled(self.pattern)

    @cached_property
    def _sign(self) -> Any:
        return compiled(self.sign)

    @cached_property
    def _label(self) -> Any:
        return None if self.label is None else compiled(rf"(?i:{self.label})[^\d\n]*$")

    def found(self, text: str, data: bytes) -> Iterator[Span]:
        """Spans in `text`, of which `data` is the UTF-8."""
        if self.label is not None and self._sign.search(data) is None:
            return
        group, at = min(self._pattern.groups, 1), 0
        place = _Places(data, len(data) == len(text))
        while at <= len(data) and (match := self._pattern.search(data, at)):
            begin, end = match.span(group)
            start, counted = place(begin), []
            if self._fits(text, start):
                counted = list(self.spans(text, start, start + _length(data[begin:end])))
                yield from counted
            at = max(begin + 1, self._next(text, start, counted, begin, end))  # a pattern may match nothing

    def _next(self, text: str, start: int, counted: Sequence[Span], begin: int, end: int) -> int:
        """The byte to go on from after a candidate from byte `begin` to `end`."""
        if self.walked:
            return end
        return begin + len(text[start : counted[-1][1]].encode()) if counted else begin + 1

    def _fits(self, text: str, start: int) -> bool:
        return self._label is None or self._label.search(text[max(0, start - BEFORE) : start]) is not None


def _length(data: bytes) -> int:
    return len(data.decode("utf-8", "ignore"))


class _Places:
    """From offsets in UTF-8, asked in rising order, to those in characters."""

    def __init__(self, data: bytes, single: bool) -> None:
        self._data, self._single, self._byte, self._character = data, single, 0, 0

    def __call__(self, byte: int) -> int:
        if self._single:
            return byte
        self._character += _length(self._data[self._byte : byte])
        self._byte = byte
        return self._character


class Rules:
    """Several rules over one text. Where findings overlap they become one, of the kind that comes first in `rules`."""

    def __init__(self, rules: Sequence[Rule], *, casefold: bool = False) -> None:
        self._rules, self._casefold = list(enumerate(rules)), casefold
        # One search says for many rules that there is nothing to find; labels are common words, so they go apart.
        plain = [one for one in self._rules if one[1].label is None]
        labelled = [one for one in self._rules if one[1].label is not None]
        self._groups = [(_any(group), group) for group in (plain, labelled) if group]

    def find(self, original: str) -> list[Finding]:
        """In the order of the text."""
        folded = Folded(original, casefold=self._casefold)
        data = folded.text.encode()
        rules = (one for sign, group in self._groups if sign.search(data) for one in group)
        spans = ((*span, rank) for rank, rule in rules for span in rule.found(folded.text, data))
        return [self._finding(folded, *one) for one in _joined(sorted(spans))]

    def _finding(self, folded: Folded, start: int, end: int, rank: int) -> Finding:
        kind = self._rules[rank][1].kind
        return Finding(*folded.span(start, end), kind, f"[{kind}]")


def _any(rules: Iterable[tuple[int, Rule]]) -> Any:
    """The pattern of all their signs."""
    return compiled("|".join(f"(?:{rule.sign})" for _, rule in rules))


def _joined(spans: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    joined: list[tuple[int, int, int]] = []
    for start, end, rank in spans:
        if joined and start < joined[-1][1]:
            before = joined.pop()
            start, end, rank = before[0], max(end, before[1]), min(rank, before[2])
        joined.append((start, end, rank))
    return joined
