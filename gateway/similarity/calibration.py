"""What was seen of earlier decisions in one pool of questions: how often an answer served so was right."""

from collections.abc import Iterable
from typing import Protocol, Self

from gateway.similarity.verdict import Kind


class Observed(Protocol):
    """One would-be hit whose answer was compared with a fresh one: the probability given then, and the outcome."""

    @property
    def probability(self) -> float: ...
    @property
    def right(self) -> bool: ...


class Calibration:
    """The evidence of one pool. Starts from the prior of its kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._seen: list[Observed] = []

    @classmethod
    def of(cls, kind: Kind, observations: Iterable[Observed] = ()) -> Self:
        """The prior of that kind, and what was observed since."""
        made = cls(kind)
        for observation in observations:
            made.learn(observation)
        return made

    def learn(self, observation: Observed) -> None:
        """Take one more observation into account."""
        self._seen.append(observation)

    def least(self, max_error_rate: float) -> float:
        """The smallest probability that may be served."""
        return 1 - max_error_rate
