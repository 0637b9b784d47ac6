"""How well a floor tells questions that nothing answers from those that something does. Pure functions.

A question is answered with nothing when its most probable passage is below the floor. That is right for an
unanswerable one, which is then recognised, and loses an answerable one: each floor is a trade between the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

LOST: Final = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Point:
    """At a floor: the share of the unanswerable questions that is recognised, and of the answerable ones lost."""

    floor: float
    recognised: float
    lost: float


def at(floor: float, answerable: Sequence[float], unanswerable: Sequence[float]) -> Point:
    """Of the scores of each question's best passage, 0 where there was none; at least one question of each kind."""
    recognised, lost = (float(np.mean(np.asarray(scores) < floor)) for scores in (unanswerable, answerable))
    return Point(floor, recognised, lost)


def curve(answerable: Sequence[float], unanswerable: Sequence[float], lost: Sequence[float] = LOST) -> list[Point]:
    """The highest floors at which no more than such shares of the answerable questions are lost."""
    ordered = sorted(answerable)
    floors = [ordered[int(share * len(ordered) + 1e-9)] for share in lost]  # below it lie that many, and no more
    return [at(floor, answerable, unanswerable) for floor in floors]
