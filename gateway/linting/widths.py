"""The fewest characters of a text that a regular expression finds itself in. Runs no pattern.

Never too many: what could be read in more than one way (engines differ in classes within classes, in named groups, in
escapes by number) counts as nothing.
"""

import re

from gateway.linting.patterns import REPEATS, TOKENS

# Escapes of one character each; a class without another in it; groups that only group.
CHARACTERS = re.compile(r"\\[dDwWsSnrtfv]|\\[^A-Za-z0-9]|\[(?!\^?\])(?:\\.|[^\[\]\\])*\]", re.DOTALL)
NOTHING = ("^", "$", "\\b", "\\B")


class _Unread(Exception):
    """The pattern has something that is not counted here."""


def shortest(pattern: str) -> int:
    """Characters; 0 where the pattern cannot be read."""
    try:
        return _shortest(TOKENS.findall(pattern))
    except _Unread:
        return 0


def _shortest(tokens: list[str]) -> int:
    groups = [[0]]  # those that are open, the innermost last: of each the fewest of its branches so far
    last = 0  # of what a quantifier would repeat
    for token in tokens:
        if token in ("(", "(?:"):
            groups.append([0])
            last = 0
        elif token == "|":
            groups[-1].append(0)
            last = 0
        elif token in ("*", "+", "?") or token.startswith("{"):
            groups[-1][-1] += last * _fewest(token) - last
            last = 0  # a second sign makes the first one lazy
        else:
            last = _closed(groups) if token == ")" else _one(token)
            groups[-1][-1] += last
    if len(groups) != 1:
        raise _Unread
    return min(groups[0])


def _closed(groups: list[list[int]]) -> int:
    if len(groups) == 1:
        raise _Unread
    return min(groups.pop())


def _fewest(quantifier: str) -> int:
    if quantifier in ("*", "?"):
        return 0
    counts = REPEATS.fullmatch(quantifier)
    if quantifier != "+" and counts is None:
        raise _Unread
    return int(counts[1]) if counts else 1


def _one(token: str) -> int:
    if token in NOTHING:
        return 0
    if token[0] in "\\[(" and not CHARACTERS.fullmatch(token):
        raise _Unread
    return 1
