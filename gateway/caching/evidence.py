"""What is known of each pool's would-be hits: read from the store when first asked for, and added to as it is learned.

Other gateways' observations are seen within FRESH_S. Bounded: the pools asked for least recently are forgotten.

To serve more than the prior does takes proof, and in a proof what nobody could tell is wrong: those answers are long or
neither close nor far apart, unlike the others, so no share of them stands for the rest. A pool with many such learns
nothing from them until a judge can tell (`gateway.caching.opinion`). They never close what the prior serves.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Generic, Self, TypeVar

from gateway.caching.names import decided, undecided
from gateway.similarity import Calibration, Correction, Kind
from gateway.similarity.calibration import KEPT
from gateway.state import Feedback, Observation, StateUnavailable

log = logging.getLogger("tollgate.cache")

F = TypeVar("F")  # what is made of a pool's observations

FRESH_S = 60.0
AGAIN_S = 1.0  # after something was learned here: to fit a pool anew may take as long as some requests
POOLS = 256


@dataclass(slots=True)
class _Pool(Generic[F]):
    fit: F
    due: float  # monotonic


class Learned(Generic[F]):
    """What `fit` makes of a pool's observations, oldest first."""

    def __init__(self, feedback: Feedback, fit: Callable[[Kind, Sequence[Observation]], F]) -> None:
        self._feedback, self._fit = feedback, fit
        self._pools: OrderedDict[tuple[str, Kind], _Pool[F]] = OrderedDict()
        self._reading: dict[tuple[str, Kind], asyncio.Task[F]] = {}

    async def of(self, pool: str, kind: Kind) -> F:
        """What is known of a pool. Nobody waits for a known one to be read again. Raises StateUnavailable."""
        known = self._pools.get((pool, kind))
        if known is None:
            return await asyncio.shield(self._read(pool, kind))
        self._pools.move_to_end((pool, kind))
        if time.monotonic() >= known.due:
            self._read(pool, kind)
        return known.fit

    async def learn(self, observation: Observation) -> None:
        """Keep what was observed; it counts here from AGAIN_S on."""
        try:
            await self._feedback.observe(observation)
        except StateUnavailable as error:
            log.warning("an observation could not be kept: %s", error)
            return
        for (pool, _), known in self._pools.items():
            if pool == observation.pool and observation.source != "near":  # of these there are many, each says little
                known.due = min(known.due, time.monotonic() + AGAIN_S)

    def _read(self, pool: str, kind: Kind) -> "asyncio.Task[F]":
        """The reading of a pool, one at a time."""
        task = self._reading.get((pool, kind))
        if task is None:
            task = self._reading[pool, kind] = asyncio.create_task(self._load(pool, kind))
            task.add_done_callback(lambda done: self._loaded(pool, kind, done))
        return task

    async def _load(self, pool: str, kind: Kind) -> F:
        return await asyncio.to_thread(self._fit, kind, await self._observations(pool))

    async def _observations(self, pool: str) -> Sequence[Observation]:
        return await self._feedback.observations(pool)

    def _loaded(self, pool: str, kind: Kind, done: "asyncio.Task[F]") -> None:
        del self._reading[pool, kind]
        if done.cancelled() or done.exception() is not None:  # the store is away: what is known goes on
            return
        self._pools[pool, kind] = _Pool(done.result(), time.monotonic() + FRESH_S)
        while len(self._pools) > POOLS:
            self._pools.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Known:
    """What a pool's observations say: how far the prior holds there, and the pool's own model, where there is one."""

    calibration: Calibration
    correction: Correction | None = None

    @classmethod
    def alone(cls, kind: Kind, observations: Sequence[Observation]) -> Self:
        """Without a model. The prior is judged by what it serves; near misses only show how far down the rate holds."""
        hits = [one for one in observations if one.source != "near" and decided(one.pool)]
        return cls(Calibration.of(kind, hits, proof=Calibration.of(kind, _proving(observations))))

    @classmethod
    def with_model(cls, kind: Kind, observations: Sequence[Observation]) -> Self:
        proving = _proving(observations)[-KEPT:]
        known = [one for one in proving if decided(one.pool)]
        unknown = [one for one in proving if not decided(one.pool)]
        return cls(cls.alone(kind, observations).calibration, Correction.of(kind, known, unknown))


def _proving(observations: Sequence[Observation]) -> Sequence[Observation]:
    """What may prove that more can be served: not praise, for whoever praises chooses what."""
    return [one for one in observations if not (one.source == "user" and one.right)]


class Evidence(Learned[Known]):
    """What is known of pools; where they `learn`, with a model of their own."""

    def __init__(self, feedback: Feedback, learn: bool = False) -> None:
        super().__init__(feedback, Known.with_model if learn else Known.alone)

    async def _observations(self, pool: str) -> Sequence[Observation]:
        """With those of which nobody could tell: kept as wrong, as which they count in a proof."""
        unknown = await super()._observations(undecided(pool))
        return sorted([*await super()._observations(pool), *unknown], key=attrgetter("at"))
