"""Where one answer stands among its remedies: which were tried, which are left. Pure."""

from collections.abc import Iterator

from gateway.stopping import FINAL, Cause, Remedies, Remedy


class Course:
    """Of one answer; each list of `remedies` ends in a final one. `tried` are those that made an attempt, in turn."""

    def __init__(self, remedies: Remedies) -> None:
        self._remedies = remedies
        self.tried: list[Remedy] = []

    def left(self, cause: Cause, said: bool) -> Iterator[Remedy]:
        """What may still be done, in turn. What was `said` to a client is not taken back."""
        for remedy in self._remedies[cause]:
            if remedy in FINAL or not (said or remedy in self.tried):
                yield remedy

    @property
    def continues(self) -> bool:
        """Whether a cut answer is gone on with, before anything else is done about it."""
        return next(self.left("ceiling", said=False)) == "continue"

    @property
    def watches(self) -> bool:
        """Whether an answer that cannot become valid is worth no further token: none is given though invalid."""
        return self._remedies["invalid"][-1] == "error"
