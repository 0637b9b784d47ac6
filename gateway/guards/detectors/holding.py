"""How much of the end of a text may yet be part of a finding. Pure, and knows no kind: it goes by words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Holding:
    """Holds back the last `words` and the spaces between and after them; numbers right before these too.

    A finding of a detector that holds so has at most `words` words, or its further ones hold a digit each. Never more
    than `reach` characters.
    """

    reach: int
    words: int

    def held(self, text: str) -> int:
        """Characters at the end of `text`."""
        tail = text[-self.reach :]
        words = tail.rsplit(None, self.words)
        rest = words[0] if len(words) > self.words else ""
        while rest and any(map(str.isdecimal, rest.rsplit(None, 1)[-1])):
            rest = rest[: -len(rest.rsplit(None, 1)[-1])].rstrip()
        return len(tail) - len(rest)
