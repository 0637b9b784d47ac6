"""Which signs of a text are spoken of, or mean something, and which are the pauses and quotes of its sentences. Pure.

`5!` and `5`, `a != b` and `a = b`, `.env` and `env` have the same words; what is `;` for and what is `:` for, too. Any
sign counts but the pause at a word's or a sentence's end, the quotes around words, brackets around plain words, and
the dash between words. That a comma may turn a sentence (let's eat, grandma) is not seen.
"""

import re
import unicodedata
from typing import Final

_RAISED: Final = re.compile(r"[⁰¹²³⁴-⁹]+")  # 2³ would become 23
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}\b)")
_EMAIL: Final = re.compile(r"\be-mail", re.I)
# Each run is looked at from its first sign only, or a long one would take the square of its length.
_MEANT: Final = re.compile(
    r"(?<=\s)[.?!,;:]+(?=\s+[a-z])"  # alone: what is ! in a shell
    r"|(?<=[\"'`(\[{<])[.?!,;:]+(?=[\"'`)\]}>])"  # within quotes
    r"|(?<![.?!,;:])[.?!,;:]+(?=[=<>&|+*/^~@#$%\\])"  # part of an operator: !=
    r"|(?<=\d)!|(?<=\b\w)!|(?<=\))!"  # 5!, n!
    r"|(?<=\w)[.:?!]+(?=[^\W\d])|(?<=[^\W\d])[.:?!]+(?=\d)"  # node.js, a?b:c
    r"|(?<!\S)[.:?!]+(?=\w)"  # .env
    r"|(?<!\S)-+(?=[^\W\d])|(?<=\w)--+(?!\w)"  # --force, i--
    r"|(?<!\S)[\"'`]+(?=\s|[.?!,;:]*$)|(?<=\d)[\"'](?!\w)"  # quotes alone, and 5" for inches
)
# The characters that they become, of the area for private use: no text means anything by them.
_AS_SIGNS: Final = str.maketrans({sign: chr(0xE000 + at) for at, sign in enumerate(".?!,;:-\"'`")})
_PROSE: Final = re.compile(r"(?<!\S)\((?=[^\W\d])([\w\s,.;:']*)(?<=[^\W\d])\)(?=[\s.?!,;:]|$)")
_QUOTES: Final = str.maketrans({"’": "'", "‘": "'", "´": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})


def written(text: str) -> str:
    """The text in one way of writing (NFKC), with each sign that means something as one that is no pause."""
    plain = unicodedata.normalize("NFKC", _RAISED.sub(r" ^\g<0>", text)).translate(_QUOTES)
    plain = _PROSE.sub(r" \1 ", _THOUSANDS.sub("", _EMAIL.sub("email", plain)))
    return _MEANT.sub(lambda found: found.group().translate(_AS_SIGNS), plain).replace("`", "'")
