"""What every setting would have served, and how much of it wrong, counted on what was observed. Pure.

Counted fairly: the limit that is applied to one half of the observations is learned from the other half. Where nobody
could tell whether a pair was right it may have been either, and the limits of the share say so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.similarity.bounds import interval
from gateway.similarity.calibration import Calibration, Observed
from gateway.similarity.verdict import Kind

SETTINGS: Final = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1)  # values of max_error_rate


@dataclass(frozen=True, slots=True)
class Setting:
    """One `max_error_rate`: of `seen` pairs `hits` are served, those of a probability of `least` on, `wrong` of them
    wrongly; of `undecided` more nobody could tell. `low` and `high` are the 95% limits of the wrong share of them all,
    had the undecided been right, or wrong."""

    max_error_rate: float
    least: float
    seen: int
    hits: int
    wrong: int
    undecided: int
    low: float
    high: float

    @property
    def hit_rate(self) -> float:
        """Share of the pairs that is served."""
        return self.hits / self.seen if self.seen else 0.0

    @property
    def wrong_rate(self) -> float:
        """Wrong share of the hits."""
        return self.wrong / self.hits if self.hits else 0.0


def settings(
    kind: Kind, seen: Sequence[Observed], rates: Iterable[float] = SETTINGS, unknown: Sequence[Observed] = ()
) -> list[Setting]:
    """Every setting in rising order; limits as the next request would meet them, counts as described above. Of the
    `unknown` it counts how probable they were found, not what they were."""
    halves = seen[::2], seen[1::2]
    learned = [Calibration.of(kind, half) for half in halves]
    every = Calibration.of(kind, seen)
    split = list(zip(halves, reversed(learned), strict=True))
    return [_setting(rate, every, split, unknown) for rate in sorted(rates)]


def meeting(found: Iterable[Setting], target: float) -> Setting | None:
    """Of the settings whose wrong share is below the target with 97.5% confidence the one with most hits, or None."""
    proven = [setting for setting in found if setting.hits and setting.high <= target]
    return max(proven, key=lambda setting: setting.hits, default=None)


def _setting(
    rate: float, every: Calibration, split: list[tuple[Sequence[Observed], Calibration]], unknown: Sequence[Observed]
) -> Setting:
    hits = [pair.right for half, other in split for pair in half if pair.probability >= other.least(rate)]
    seen, wrong, least = sum(len(half) for half, _ in split), hits.count(False), every.least(rate)
    unsure = sum(pair.probability >= least for pair in unknown)
    return Setting(rate, least, seen, len(hits), wrong, unsure, *interval(wrong, len(hits), unknown=unsure))
