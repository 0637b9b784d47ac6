"""What was observed in one pool of questions, and from which probability on its answers may be served.

Starts from the prior, by which the pairs with a probability of at least 1 - e are wrong in a share e of them. What is
observed moves the limit both ways:
- up, as soon as prior and observations together expect more wrong hits than allowed (the prior weighs as PRIOR hits,
  and what it says is multiplied where more was wrong than it had said);
- down, when the observations alone show with CONFIDENCE that the larger region keeps the rate.

Knows no questions. Observed should be a fair sample of the would-be hits, or one that looks harder at doubtful ones:
reports of what is wrong make it more careful than need be, and praise is no proof. Invariant: `least` and `proven`
change in `learn` only.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol, Self

import numpy as np

from gateway.similarity.bounds import upper
from gateway.similarity.verdict import Kind

PRIOR: Final = 200  # hits that the prior weighs as: about as many as its own sets have of one relation at 1%
KEPT: Final = 5000  # observations, so that what changed long ago is forgotten; 1% of it is known to within 0.3%
# Of many limits the lowest that is proven is served, and it is looked for again and again: of 90 simulated pools with
# 1.2 or 1.5 times as many wrong ones as allowed 95% lowered the limit in 20, 99% in 2.
CONFIDENCE: Final = 0.99
LOOKED: Final = 10  # observations at the lower edge of a region, without which nothing is known of the edge
EDGE: Final = 4  # steps of LIMITS that are its edge
EXACT: Final = 1e-9  # rounding
DOUBT: Final = 2.0  # wrong hits by which more must be seen than expected before the prior itself is doubted
NEVER: Final = 1.1  # above every probability
# The limits that are tried, between 1 in 2 and 1 in 500 wrong; finer where a rate is likely to be set.
LIMITS: Final = 1 - np.geomspace(0.5, 0.002, 60)


class Observed(Protocol):
    """One would-be hit whose kept answer was compared with a fresh one: the probability given then, and the outcome."""

    @property
    def probability(self) -> float: ...
    @property
    def right(self) -> bool: ...


class Calibration:
    """The evidence of one pool. Use it from one thread."""

    def __init__(self, kind: Kind, proof: "Calibration | None" = None) -> None:
        self.kind, self._proof = kind, proof
        self._seen: deque[tuple[float, bool]] = deque()
        self._all = np.zeros(len(LIMITS), np.int64)  # observations at or above each limit, and the wrong ones
        self._wrong = np.zeros(len(LIMITS), np.int64)
        self._said = 0.0  # wrong ones that the prior led to expect
        self._least: dict[float, float] = {}
        self._from: dict[float, float] = {}

    @classmethod
    def of(cls, kind: Kind, observations: Iterable[Observed] = (), proof: "Calibration | None" = None) -> Self:
        """The prior of that kind, and what was observed since, oldest first.

        `proof` has seen near misses too: they show how far down the rate holds, and are too doubtful a sample to say
        what the prior is worth where it serves.
        """
        made = cls(kind, proof)
        for observation in observations:
            made.learn(observation)
        return made

    def learn(self, observation: Observed) -> None:
        """Take one more observation into account; the oldest of more than KEPT is forgotten."""
        self._seen.append((observation.probability, observation.right))
        self._count(*self._seen[-1], 1)
        if len(self._seen) > KEPT:
            self._count(*self._seen.popleft(), -1)
        self._least.clear()
        self._from.clear()

    def least(self, max_error_rate: float) -> float:
        """The smallest probability that may be served; NEVER when nothing keeps the rate."""
        found = self._least.get(max_error_rate)
        if found is None:
            found = self._least[max_error_rate] = self._find(max_error_rate)
        return found

    def proven(self, max_error_rate: float) -> float:
        """The smallest probability from which on what was observed alone shows that the rate holds; else NEVER."""
        if self._proof is not None:
            return self._proof.proven(max_error_rate)
        found = self._from.get(max_error_rate)
        if found is None:
            shown = (float(limit) for at, limit in enumerate(LIMITS) if self._proven(at, max_error_rate))
            found = self._from[max_error_rate] = next(shown, NEVER)
        return found

    def _find(self, rate: float) -> float:
        """The lowest limit below the prior's that is proven, else the lowest from there on that is expected to hold."""
        cold = 1 - rate
        if (lowest := self.proven(rate)) < cold:
            return lowest
        held = (limit for limit in (cold, *LIMITS[cold < LIMITS]) if self._expected(float(limit)) <= rate + EXACT)
        return float(next(held, NEVER))

    def _expected(self, limit: float) -> float:
        """The wrong share from that limit on, by the prior and the observations."""
        at = min(int(np.searchsorted(LIMITS, limit)), len(LIMITS) - 1)
        doubt = max(1.0, (DOUBT + self._wrong[0]) / (DOUBT + self._said))
        return float((PRIOR * (1 - limit) * doubt + self._wrong[at]) / (PRIOR + self._all[at]))

    def _proven(self, at: int, rate: float) -> bool:
        seen, wrong = int(self._all[at]), int(self._wrong[at])
        if seen - self._all[min(at + EDGE, len(LIMITS) - 1)] < LOOKED:
            return False
        return wrong <= rate * seen and upper(wrong, seen, CONFIDENCE) <= rate

    def _count(self, probability: float, right: bool, by: int) -> None:
        reached = int(np.searchsorted(LIMITS, probability, side="right"))
        if not reached:
            return  # no would-be hit under any setting
        self._all[:reached] += by
        self._wrong[:reached] += by * (not right)
        # A pair at p is wrong about twice as often as the pairs from p on: measured, and exact where shares halve.
        self._said += by * 2 * (1 - probability)
