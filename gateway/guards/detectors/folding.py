"""Text as patterns read it: one way to write each digit, dash, space and letter, with the way back to the original.

`4111 1111` in full-width digits, with soft hyphens or zero-width joiners between, reads as it is meant by people and by
models. Knows no pattern. Not undone: letters of another script that look alike (Cyrillic `а`), combining strokes over
a digit, and whatever needs a key or a rule to be read (base64, words for digits).

Invariants: text that is ASCII stays as it is, at the cost of one look; folding is character by character, so linear.
"""

import unicodedata
from itertools import accumulate

REPLACEMENT = "\ufffd"  # for half a surrogate pair, which UTF-8 and so RE2 cannot carry


class _Table(dict[int, str]):
    """For `str.translate`: each character is folded once in the life of the process."""

    def __init__(self, casefold: bool) -> None:
        super().__init__()
        self._casefold = casefold

    def __missing__(self, code: int) -> str:
        self[code] = folded = _folded(chr(code))
        if self._casefold:
            self[code] = folded = folded.casefold()
        return folded


def _folded(character: str) -> str:
    """Unicode's general categories: Cf formats (zero-width, bidi, soft hyphen), Nd digits, Pd dashes, Zs spaces."""
    match unicodedata.category(character):
        case "Cf":
            return ""
        case "Cs":
            return REPLACEMENT
        case "Nd":
            return str(unicodedata.decimal(character))
        case "Pd":
            return "-"
        case "Zs":
            return " "
    if character in "\u2212\ufe0e\ufe0f":  # the minus sign; the two selectors that follow a digit to dress it up
        return "-" if character == "\u2212" else ""
    return unicodedata.normalize("NFKC", character)


_AS_WRITTEN, _CASEFOLDED = _Table(casefold=False), _Table(casefold=True)


class Folded:
    """A text, folded. `casefold` also makes upper and lower case one."""

    def __init__(self, original: str, *, casefold: bool = False) -> None:
        self._original, self._table = original, _CASEFOLDED if casefold else _AS_WRITTEN
        self.text = original if original.isascii() and not casefold else original.translate(self._table)
        self._origins: list[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in the original a span of the folded text is, with what was folded away inside it."""
        if self.text is self._original:
            return start, end
        origins = self._origins or self._found()
        return origins[start], origins[end - 1] + 1

    def _found(self) -> list[int]:
        """The index in the original of each folded character."""
        lengths = [len(self._table[ord(character)]) for character in self._original]
        self._origins = origins = [0] * sum(lengths)
        for index, (end, length) in enumerate(zip(accumulate(lengths), lengths, strict=True)):
            origins[end - length : end] = [index] * length
        return origins
