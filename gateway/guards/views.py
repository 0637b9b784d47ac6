"""How a growing text is read: as it is, or as JSON, whose strings may hide a character behind an escape.

A view turns what arrives into characters to look at, and back: which raw text some of them stand for, and how something
else is written in their place so that JSON stays JSON. Positions count the characters of the view from its start.
Knows no guard.

Invariants: all characters' raw texts joined are what arrived, but for an escape that is not whole yet; of JSON only
what is inside a string or a bare value (a number, `true`) is ever replaced, a bare value as a whole and by a string.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import orjson

from gateway.exchange import Finding

# JSON's escapes (RFC 8259, section 7).
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_UNFINISHED = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_SHORT = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_STRUCTURE = frozenset('{}[]:," \t\n\r')


class View(Protocol):
    def add(self, raw: str, final: bool) -> str:
        """The characters to look at that are new. `final`: nothing follows."""

    def raw(self, start: int, end: int) -> str:
        """What arrived for these, to be asked for from left to right: what is before `start` is forgotten."""

    def written(self, at: int, instead: str) -> str:
        """How something is written in the place of what begins at `at`."""

    def cut(self, upto: int) -> int:
        """The last place up to `upto` where a text that goes on may be cut."""

    def split(self, finding: Finding) -> Iterator[Finding]:
        """The finding as those parts of it that can be replaced, each where it must be."""


class Plain:
    """A text as it is."""

    def __init__(self) -> None:
        self._text, self._begin = "", 0

    def add(self, raw: str, final: bool) -> str:
        self._text += raw
        return raw

    def raw(self, start: int, end: int) -> str:
        self._text, self._begin = self._text[start - self._begin :], start
        return self._text[: end - start]

    def written(self, at: int, instead: str) -> str:
        return instead

    def cut(self, upto: int) -> int:
        return upto

    def split(self, finding: Finding) -> Iterator[Finding]:
        yield finding


class Json:
    """A text of JSON, read leniently: a model wrote it. Each character of the view has its raw text and its cell: the
    string or the bare value that it is in."""

    def __init__(self) -> None:
        self._raws: list[str] = []  # from `_begin` on
        self._cells: list[int] = []  # the same: 0 is structure, a string has an odd number, a bare value an even one
        self._begin = 0
        self._cell, self._numbers = 0, 0
        self._left = ""  # an escape that is not whole

    def add(self, raw: str, final: bool) -> str:
        text, at, view = self._left + raw, 0, []
        while at < len(text):
            char, end = self._next(text, at, final)
            if not char:
                break
            self._place(char, text[at:end])
            view.append(char)
            at = end
        self._left = text[at:]
        return "".join(view)

    def raw(self, start: int, end: int) -> str:
        gone = start - self._begin
        del self._raws[:gone], self._cells[:gone]
        self._begin = start
        return "".join(self._raws[: end - start])

    def written(self, at: int, instead: str) -> str:
        quoted = orjson.dumps(instead).decode()
        return quoted[1:-1] if self._cells[at - self._begin] % 2 else quoted

    def cut(self, upto: int) -> int:
        """Before a bare value that goes on behind `upto`."""
        at = upto - self._begin
        behind = self._cells[at] if at < len(self._cells) else self._cell
        while at > 0 and self._cells[at - 1] == behind and self._bare(behind):
            at -= 1
        return at + self._begin

    def split(self, finding: Finding) -> Iterator[Finding]:
        at, end = max(finding.start - self._begin, 0), finding.end - self._begin
        while at < end:
            first, cell = at, self._cells[at]
            while self._bare(cell) and first > 0 and self._cells[first - 1] == cell:
                first -= 1
            while at < len(self._cells) and self._cells[at] == cell and (at < end or self._bare(cell)):
                at += 1
            if cell:
                yield replace(finding, start=first + self._begin, end=at + self._begin)

    def _bare(self, cell: int) -> bool:
        return cell > 0 and cell % 2 == 0

    def _next(self, text: str, at: int, final: bool) -> tuple[str, int]:
        """The character at a place, and where the next one begins; none where it is not whole."""
        if text[at] != "\\" or self._cell % 2 == 0:
            return text[at], at + 1
        escape = _ESCAPE.match(text, at)
        if escape is None:
            return ("", at) if not final and _UNFINISHED.match(text, at) else (text[at], at + 1)
        if escape[2]:
            return _SHORT[escape[2]], escape.end()
        code = int(escape[1], 16)
        if not 0xD800 <= code < 0xE000:
            return chr(code), escape.end()
        return self._pair(text, code, escape.end(), final) or ("\N{REPLACEMENT CHARACTER}", escape.end())

    def _pair(self, text: str, high: int, at: int, final: bool) -> tuple[str, int] | None:
        """A character of two escapes; none where the second is not whole, None where there is no second one."""
        if high >= 0xDC00:
            return None
        if not final and (at == len(text) or _UNFINISHED.match(text, at)):
            return "", at
        second = _ESCAPE.match(text, at)
        low = int(second[1], 16) if second and second[1] else 0
        if not (second and 0xDC00 <= low < 0xE000):
            return None
        return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00), second.end()

    def _place(self, char: str, raw: str) -> None:
        """Keep a character of the view with its cell."""
        in_string, cell = self._cell % 2 == 1, self._cell
        if raw == '"':
            self._cell, cell = (0 if in_string else self._number(odd=True)), 0
        elif not in_string:
            if raw in _STRUCTURE:
                self._cell = cell = 0
            elif not cell:
                self._cell = cell = self._number(odd=False)
        self._raws.append(raw)
        self._cells.append(cell)

    def _number(self, odd: bool) -> int:
        """A new cell's."""
        self._numbers += 2
        return self._numbers + 1 if odd else self._numbers
