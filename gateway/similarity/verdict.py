"""The words of a decision about two questions."""

from dataclasses import dataclass
from typing import Literal

# What the questions of a template are: anything at all, or asked of a closed set of answers (a FAQ, a set of intents).
Kind = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the kept answer is served, the prior's probability that it is right, and why, in words for the trace.

    `learned`: the prior alone would not have served it. `features` describe the comparison; none where it was refused.
    """

    hit: bool
    probability: float
    reasons: tuple[str, ...]
    learned: bool = False
    features: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Other:
    """Another kept question near the new one: its cosine with it, and whether its answer is the candidate's too."""

    similarity: float
    same: bool
