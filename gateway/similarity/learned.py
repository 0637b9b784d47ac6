"""What a pool's own answers teach of its comparisons: a correction of the prior, served only where it is proven.

A logistic model of the features beside the prior's log-odds: with weights of 0 it says what the prior says, and a ridge
draws them there. It is taken only where, on observations that it was not fitted on, its log-loss is below the prior's;
and what it finds more probable is served only from where these observations prove that the rate holds
(`Calibration.proven`). It refuses nothing that the prior serves.

Why so careful: models of other domains did not carry over, and one that replaced the prior outright broke the rate
on three of six sets. Figures: `python -m benchmarks.similarity_learned`. Knows no questions. Pure; takes tenths of a
second.
"""

from collections.abc import Sequence
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from gateway.similarity.calibration import KEPT, Calibration
from gateway.similarity.features import NAMES, Features, known
from gateway.similarity.verdict import Kind

Vector = NDArray[np.float64]

NEAR: Final = 0.5  # the prior's probability from which on comparisons are looked at; nothing is known of others
FIRST: Final = 200  # observations from which on a model is tried: some ten for each of its weights
BOTH: Final = 10  # right ones and wrong ones among them, at least
FOLDS: Final = 5
RIDGE: Final = 10.0  # on scaled features: a weight costs as much as ten observations say; 1 to 50 did as well
FREE: Final = 1.0  # on the intercept, which is what a pool's share of right answers says
STEPS: Final = 25  # of Newton's method; it takes about eight
LONGEST: Final = 2.0  # step: far from the end Newton's are too long
# The log-odds that a prior may be certain by: of features that were never seen nothing is known to a thousandth.
CERTAIN: Final = 0.001
# Centre and spread of each feature, about those of the development halves. Fixed: a pool's own would move with it.
_MEANS: Final = (0.85, 0.5, 2.0, 0.7, 0.2, 0.6, 0.15, 1.3, 0.6, 0.2, 1.4)
_STEPS: Final = (0.08, 0.15, 1.3, 0.6, 0.2, 0.6, 0.2, 0.5, 0.3, 0.3, 0.5)
_KINDS: Final = len(NAMES) - len(_MEANS)  # of pairs: 0 or 1 each
CENTRES: Final = np.array([*_MEANS, *[0.0] * _KINDS])
SPREADS: Final = np.array([*_STEPS, *[1.0] * _KINDS])


class Described(Protocol):
    """One comparison whose kept answer was compared with a fresh one: the prior's probability, how it looked, the
    outcome."""

    @property
    def probability(self) -> float: ...
    @property
    def right(self) -> bool: ...
    @property
    def features(self) -> Features: ...


class Correction:
    """A pool's own model: see `of`."""

    def __init__(self, weights: Vector, held: Calibration) -> None:
        self._weights, self._held = weights, held

    @classmethod
    def of(cls, kind: Kind, observations: Sequence[Described], unknown: Sequence[Described] = ()) -> Self | None:
        """What the newest KEPT observations teach; None where that is nothing, or no better than the prior.

        Should be a fair sample of what is compared, near misses included, or one that looks harder at doubtful ones.
        Of the `unknown`, from the same time, nobody could tell whether they were right: they teach the model nothing,
        and in the proof of what it may serve they are wrong.
        """
        seen, unsure = _read(observations), _read(unknown)
        right = np.array([one.right for one in seen], float)
        if len(seen) < FIRST or min(right.sum(), (1 - right).sum()) < BOTH:
            return None
        looks, said = _scaled([one.features for one in seen]), _log_odds([one.probability for one in seen])
        held_out = _held_out(looks, said, right)
        if not _better(held_out, _sigmoid(said), right):
            return None
        held = Calibration.of(kind, [_Seen(_share(p), bool(y)) for p, y in zip(held_out, right, strict=True)])
        made = cls(_fit(looks, said, right), held)
        for one in unsure:
            held.learn(_Seen(made.probability(one.probability, one.features), False))
        return made

    def probability(self, probability: float, features: Features) -> float:
        """Of the pairs that look at least as good so many are right, where the prior said `probability`."""
        looks, said = _scaled([features]), _log_odds([probability])
        return _share(float(_predict(self._weights, looks, said)[0]))

    def least(self, max_error_rate: float) -> float:
        """The smallest probability that may be served: proven on what the model was not fitted on, else above all."""
        return self._held.proven(max_error_rate)


class _Seen:
    __slots__ = ("probability", "right")

    def __init__(self, probability: float, right: bool) -> None:
        self.probability, self.right = probability, right


def _read(observations: Sequence[Described]) -> list[Described]:
    """The newest that a model of today reads."""
    return [one for one in observations if one.probability >= NEAR and known(one.features)][-KEPT:]


def _held_out(looks: Vector, said: Vector, right: Vector) -> Vector:
    """Of each observation what a model says that was fitted on the other folds."""
    fold, found = np.arange(len(right)) % FOLDS, np.empty(len(right))
    for one in range(FOLDS):
        out = fold == one
        found[out] = _predict(_fit(looks[~out], said[~out], right[~out]), looks[out], said[out])
    return found


def _better(learned: Vector, prior: Vector, right: Vector) -> bool:
    """Whether the log-loss is lower, by more than its standard error."""
    gain = np.where(right > 0, np.log(learned / prior), np.log((1 - learned) / (1 - prior)))
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def _fit(looks: Vector, said: Vector, right: Vector) -> Vector:
    """Intercept and weights, by Newton's method."""
    x = np.column_stack([np.ones(len(looks)), looks])
    ridge = np.diag([FREE, *[RIDGE] * looks.shape[1]])
    weights: Vector = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = _sigmoid(x @ weights + said)
        step = np.linalg.solve((x.T * (p * (1 - p))) @ x + ridge, x.T @ (right - p) - ridge @ weights)
        weights = weights + step / max(1.0, float(np.abs(step).max()) / LONGEST)
        if np.abs(step).max() < 1e-6:
            break
    return weights


def _predict(weights: Vector, looks: Vector, said: Vector) -> Vector:
    return _sigmoid(weights[0] + looks @ weights[1:] + said)


def _scaled(found: Sequence[Features]) -> Vector:
    looks = np.array([one[1:] for one in found]).reshape(-1, len(NAMES))
    return np.asarray((looks - CENTRES) / SPREADS)


def _log_odds(probabilities: Sequence[float]) -> Vector:
    """Of single pairs. A pair at p is wrong about twice as often as the pairs from p on: see `Calibration`."""
    wrong = np.clip(2 * (1 - np.array(probabilities)), CERTAIN, 1 - 20 * CERTAIN)
    return np.asarray(np.log((1 - wrong) / wrong))


def _share(right: float) -> float:
    """The other way round: of the pairs that look at least as good so many are right."""
    return 1 - (1 - float(right)) / 2


def _sigmoid(log_odds: Vector) -> Vector:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -12, 12))))
