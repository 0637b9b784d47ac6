"""Stop strings that lie across a seam between two parts of an answer. Knows no stream.

The engine looks for them in the text of one generation, and holds back what may become one; but at the end of a part it
says what it held. So the beginning of a stop string is held back here too, over the seam.
"""

from collections.abc import Sequence


class Stops:
    """Lets text through as it comes, but for an end that may become one of `strings`.

    `found` is the one that was complete first across a seam: there the answer ends, with it where it is `included`.
    """

    def __init__(self, strings: Sequence[str], included: bool) -> None:
        self._strings, self.included = [string for string in strings if string], included
        self._held = ""
        self._before = 0  # characters of what is held that came before the last seam
        self.found: str | None = None

    def add(self, text: str) -> str:
        """What may be said now."""
        text = self._held + text
        if end := self._across(text):
            self._held = ""
            return text[:end] if self.included else text[: end - len(self.found or "")]
        said = len(text) - self._beginning(text)
        self._held, self._before = text[said:], max(self._before - said, 0)
        return text[:said]

    def seam(self) -> None:
        """A part has ended, and another will follow."""
        self._before = len(self._held)

    def rest(self, unsaid: str = "") -> str:
        """What is left to say when nothing more comes. `unsaid` is the stop string at which the engine ended the part:
        one across the seam may have been complete before it."""
        text, self._held = self._held + unsaid, ""
        if end := self._across(text):
            return text[: end - len(self.found or "")]
        return text[: len(text) - len(unsaid)]

    def _across(self, text: str) -> int:
        """Where the first stop string ends that begins before the seam and ends after it; 0: none does."""
        places = [(text.find(one, max(self._before + 1 - len(one), 0)), one) for one in self._strings if self._before]
        ends = [(at + len(string), string) for at, string in places if 0 <= at < self._before]
        end, self.found = min(ends, key=lambda found: found[0], default=(0, None))
        return end

    def _beginning(self, text: str) -> int:
        """How many characters at the end may be the beginning of a stop string."""
        longest = max(map(len, self._strings), default=1) - 1
        sizes = range(min(longest, len(text)), 0, -1)
        return next((size for size in sizes if any(s.startswith(text[-size:]) for s in self._strings)), 0)
