"""What xgrammar makes of a regular expression: what it refuses, what it passes over. Seen on xgrammar 0.2.8.

A pattern is read here without being run: a scan that leaves out escapes and character classes.
"""

import re
from collections.abc import Iterator

from gateway.linting.note import Severity

MAX_REPEATS = 128  # xgrammar 0.2.8 fails an internal check from 129 on ("per_rule_fsm_hashes")
TOKENS = re.compile(r"\\(?:[pP]\{[^}]*\}|k<[^>]*>|.)|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:<[=!]|.)|\{[^}]*\}|.", re.DOTALL)
CLASS_IN_CLASS = re.compile(r"(?<!\\)(?:\\\\)*\\[pP]\{")
REPEATS = re.compile(r"\{(\d+)(,(\d*))?\}")

Said = tuple[Severity, str]


def read(pattern: str) -> Iterator[Said]:
    """What is to be said about a pattern of strings: how severe it is, and a message."""
    if len(pattern) > 1 and (pattern.startswith("^") != pattern.endswith("$") or not pattern.startswith("^")):
        yield "advice", "the engine matches the whole text: write ^ and $, with .* where more may stand"
    tokens = TOKENS.findall(pattern)
    for index, token in enumerate(tokens):
        yield from _token(token, index, len(tokens))


def usable(pattern: str) -> bool:
    """Whether what the engine makes of a pattern is worth being guided by: JSON, and text that the pattern matches."""
    tokens = TOKENS.findall(pattern)
    said = (how for at, token in enumerate(tokens) if token not in "^$" for how, _ in _token(token, at, len(tokens)))
    return not {"error", "warning"} & set(said)


def _token(token: str, index: int, count: int) -> Iterator[Said]:
    if token.startswith("\\"):
        yield from _escape(token)
    elif token.startswith("(?"):
        yield from _group(token)
    elif token.startswith("{"):
        yield from _repeats(token)
    elif token.startswith("["):
        yield from _class(token)
    elif (token == "^" and index) or (token == "$" and index < count - 1):
        yield "warning", f"the engine passes over a {token} inside a pattern; anchor the whole pattern once"


def _escape(token: str) -> Iterator[Said]:
    if token[1] in "pP":
        yield "error", "the engine knows no Unicode classes (\\p); write the ranges of characters"
    elif token[1] in "bB":
        yield "error", "the engine knows no word boundaries (\\b); write what stands before and after"
    elif token[1] in "123456789k":
        yield "error", "the engine knows no references to groups; repeat the group itself"
    elif token[1] in "AZz":
        yield "warning", f"the engine takes {token} for the letter; write ^ and $"


def _class(token: str) -> Iterator[Said]:
    if "\n" in token:
        yield "error", "the engine takes no line break in a character class: write \\n"
    if CLASS_IN_CLASS.search(token):
        yield (
            "warning",
            "the engine takes \\p in a character class for the letters it is written with; write the ranges",
        )


def _group(token: str) -> Iterator[Said]:
    if token in ("(?=", "(?!"):
        yield "warning", "the engine passes over a lookahead, or refuses it; write the pattern without one"
    elif token in ("(?<=", "(?<!"):
        yield "error", "the engine knows no lookbehind; write the pattern without one"
    elif token not in ("(?:", "(?<", "(?P"):
        yield "error", f"the engine knows no group of the kind {token}...); use (?:...)"


def _repeats(token: str) -> Iterator[Said]:
    counts = REPEATS.fullmatch(token)
    if counts is None:
        yield "error", f"the engine takes {token} for a count that is none; escape the brace, write both bounds"
    elif max(int(counts[1]), int(counts[3] or 0)) > MAX_REPEATS:
        yield (
            "error",
            f"the engine fails on counts over {MAX_REPEATS} ({token}); write * or + with a maxLength elsewhere",
        )
