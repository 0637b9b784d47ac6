"""What is left of a text once findings are taken out of it, at once or as it grows. Pure.

Where findings overlap, all that they cover goes, and what stands there instead is that of the one which begins first
(of these the longest, then by kind). So it can be said from left to right, and a text that is redacted while it grows
becomes the same as one that is redacted whole.
"""

from collections.abc import Iterable, Iterator

from gateway.exchange import Finding

# From character, to character, and what stands there instead (None: the text itself).
Part = tuple[int, int, str | None]


class Sweep:
    """Goes over a text once, from its start. `at`: what is before it is done."""

    def __init__(self) -> None:
        self.at = 0
        self._covered = 0  # what is before it goes

    def to(self, upto: int, findings: Iterable[Finding]) -> Iterator[Part]:
        """The parts from `at` to `upto`; `findings` are all that begin before `upto` and were not given before.

        A finding may begin before `at`, where the text is out already: then only its rest goes.
        """
        for finding in sorted(findings, key=_order):
            start = max(finding.start, self.at)
            if start >= self._covered and start < finding.end:
                yield from self._rest(start)
                yield start, start, finding.instead
            self._covered = max(self._covered, finding.end)
        yield from self._rest(upto)

    def _rest(self, upto: int) -> Iterator[Part]:
        """What is not covered, up to there."""
        begin = max(self.at, min(self._covered, upto))
        self.at = max(self.at, upto)
        if begin < upto:
            yield begin, upto, None


def redacted(text: str, findings: Iterable[Finding]) -> str:
    """The text with what stands instead of the findings."""
    return "".join(text[a:b] if instead is None else instead for a, b, instead in Sweep().to(len(text), findings))


def _order(finding: Finding) -> tuple[int, int, str, str]:
    return finding.start, -finding.end, finding.kind, finding.instead
