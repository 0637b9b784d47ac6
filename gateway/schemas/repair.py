"""Texts that are JSON but for what stands around and between: that is taken away. Nothing is ever added or changed.

What may go: a code fence, or prose, around one value; comments (// and /* */); a comma before a closing bracket.
Nothing that is open is closed, no key or word is quoted: a model's cut or wrong JSON stays wrong. The value begins at
the first bracket, and no bracket may follow it, so that there is no choice between two.
"""

import re
from collections.abc import Iterator

from gateway.schemas.validators import parsed

OPENED = re.compile(r"\s*```[\w+-]*[ \t]*\r?\n")  # a code fence (CommonMark 0.31, section 4.5) with its language
FENCED = re.compile(OPENED.pattern + r"(.*?)\r?\n[ \t]*```\s*", re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
# A string, a comment, a bracket, a comma, or what lies between; the last of a text may be unfinished.
_TOKEN = re.compile(
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|//[^\n]*|/\*.*?(?:\*/|\Z)|[\[\]{}]|,|\s+|[^"/\[\]{},\s]+|.', re.DOTALL
)
_CLOSES = {"]": "[", "}": "{"}


def repaired(text: str) -> str | None:
    """The JSON value of a text, without what may go; None where there is none, or more than one."""
    fence = FENCED.fullmatch(text)
    inner = fence.group(1) if fence else text
    for candidate in (inner, _one(inner)):
        if candidate is not None and _is_json(found := cleaned(candidate).strip()):
            return found
    return None


def cleaned(text: str) -> str:
    """A text without comments and without commas before a closing bracket, read as far as it goes."""
    kept: list[str] = []
    comma = -1  # where, of a comma that only white space has followed
    before = ""  # the last token of weight
    for token in _tokens(text):
        if token.startswith(("//", "/*")):
            token = " "  # not nothing: what stands on its two sides must not become one
        if token in _CLOSES and comma >= 0:
            del kept[comma]
        if not token.isspace():
            comma = len(kept) if token == "," and before not in ("", ",", "[", "{") else -1
            before = token
        kept.append(token)
    return "".join(kept)


def _tokens(text: str) -> Iterator[str]:
    return (match.group() for match in _TOKEN.finditer(text))


def _one(text: str) -> str | None:
    """From the first bracket to the one that closes it, where no other follows."""
    first = _BRACKET.search(text)
    if first is None:
        return None
    begin, open = first.start(), []
    for match in _TOKEN.finditer(text, begin):
        token = match.group()
        if token in ("[", "{"):
            open.append(token)
        elif token in _CLOSES and (not open or open.pop() != _CLOSES[token]):
            return None
        if not open:
            return None if _BRACKET.search(text, match.end()) else text[begin : match.end()]
    return None


def _is_json(text: str) -> bool:
    try:
        parsed(text.encode("utf-8", "replace"))
    except ValueError:
        return False
    return True
