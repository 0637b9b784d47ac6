"""What may be used beside the requests: a share of the tokens that they use, saved up to a bound. Pure.

Each process has its own. Invariant: what was taken is at most the share of what was earned.
"""

MOST = 200_000.0  # tokens saved: some hundred comparisons, so that a quiet night pays for no busy hour


class Allowance:
    """A `share` (0 .. 1) of the tokens that requests use."""

    def __init__(self, share: float) -> None:
        self._share, self._left = share, 0.0

    def earn(self, tokens: int) -> None:
        """A request has used so many."""
        self._left = min(MOST, self._left + self._share * tokens)

    def take(self, tokens: int) -> bool:
        """Whether so many may be used; they count as used then."""
        if tokens > self._left:
            return False
        self._left -= tokens
        return True

    def give_back(self, tokens: int) -> None:
        """Of what was taken so many were not used."""
        self._left += tokens
