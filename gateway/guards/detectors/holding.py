"""How much of the end of a text may yet be part of a finding. Pure, and knows no kind: it goes by words."""

from dataclasses import dataclass

# Letters of a group of an account or a national number that has no digit: `GB29 NWBK 6016 ...`, `AB 12 34 56 C`.
GROUP = 4


@dataclass(frozen=True, slots=True)
class Holding:
    """Holds back the last `words` and the spaces between and after them; right before these, numbers too.

    A finding of a detector that holds so has at most `words` words, or its further ones hold a digit each or are a few
    capital letters. Never more than `reach` characters.
    """

    reach: int
    words: int

    def held(self, text: str) -> int:
        """Characters at the end of `text`."""
        tail = text[-self.reach :]
        words = tail.rsplit(None, self.words)
        rest = words[0] if len(words) > self.words else ""
        while rest and _joined(word := rest.rsplit(None, 1)[-1]):
            rest = rest[: -len(word)].rstrip()
        return len(tail) - len(rest)


def _joined(word: str) -> bool:
    """Whether it may belong to what follows it."""
    letters = "".join(filter(str.isalnum, word))
    return any(map(str.isdecimal, word)) or (letters.isupper() and len(letters) <= GROUP)
