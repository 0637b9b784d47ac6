"""What a comparison of a kept answer with a fresh one teaches, and whom: the pool's calibration, and the verifier's.

What could not be told is counted in a pool beside: it is no proof of anything, and to leave it out without a word would
make the observed share look better known than it is. To what serves on proof alone, here and in `Known`, it is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from gateway.caching.evidence import Evidence, Learned
from gateway.caching.names import scored, undecided
from gateway.caching.verifier import Scores
from gateway.exchange import Verified
from gateway.state import Observation


@dataclass(frozen=True, slots=True)
class Lesson:
    """A would-be hit, or what came `near` to one, as it was judged. `learned`: the pool's own model served it."""

    pool: str
    entry: str
    score: float
    probability: float
    verified: Verified | None
    near: bool
    learned: bool = False
    features: tuple[float, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether the prior alone served it."""
        return not self.near and not self.learned and self.verified is None

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self | None:
        """Of a hit's facts; None where similarity had no part in it."""
        if "probability" not in facts:
            return None
        verified = Verified(**facts["verifier"]) if "verifier" in facts else None
        said = facts["pool"], facts["entry"], facts["score"], facts["probability"]
        chosen = facts.get("near", False), facts.get("learned", False)
        return cls(*said, verified, *chosen, tuple(facts.get("features", ())))


class Lessons:
    """Keeps what is taught: `evidence` of the pools, `scores` of the verifier."""

    def __init__(self, evidence: Evidence, scores: Learned[Scores]) -> None:
        self._evidence, self._scores = evidence, scores

    async def teach(self, lesson: Lesson, right: bool | None, at: float, by: Literal["fresh", "user"]) -> None:
        """Whether the kept answer was right: None where nobody can tell."""
        source: Literal["fresh", "near", "user"] = by if by == "user" or lesson.alone else "near"
        pool = lesson.pool if right is not None else undecided(lesson.pool)
        told = lesson.score, lesson.probability, bool(right), at, source, lesson.features
        if lesson.alone or by == "fresh" or not right:  # praise of what others chose would speak for the prior
            await self._evidence.learn(Observation(pool, lesson.entry, *told))
        if (said := lesson.verified) is not None:
            pool = scored(lesson.pool, said.model)
            await self._scores.learn(Observation(pool, lesson.entry, lesson.score, said.score, bool(right), at, source))
