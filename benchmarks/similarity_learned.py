"""Whether a pool's own model pays: long streams with it and without, and what each entry's own observations add.

    python -m benchmarks.similarity_learned --data FOLDER [--vectors FILE.npz] [--requests 30000] [--rates 0.01 0.05]

FOLDER and FILE: as of `benchmarks.similarity`. Streams of intents are of a closed set, as there. Streams of pairs draw
one at random, kept question and new one, as often as asked: what they show of a pool of that domain, they show for as
long as its questions are of one kind. Of the hits `--sample` are answered anew and compared, of the near misses five
times as many, as the gateway does; comparisons are taken to be right, so that real ones do somewhat worse. `near`: a
limit on the prior's probability is learned from the near misses too, without a model: what a model adds to that.
A measurement: it asserts nothing.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.similarity import Decide, Pair, Served, embedded, lines, pairs, stream
from gateway.similarity import NEAR, Calibration, Correction, Decision, Judge, Kind, Other
from gateway.similarity.bounds import interval

NEARLY = 5  # as `gateway.caching.samples.NEARLY`
LEAST = 0.7  # as `gateway.caching.similar.LEAST`
AGAIN = 200  # comparisons after which the pool is looked at anew
HEAD = "{:18} {:>6} {:8} {:>7} {:>7} {:>6} {:>7} {:>16} {:>9}"
ROW = "{:18} {:>6.3f} {:8} {:>7} {:>7.4f} {:>6} {:>7.4f} [{:.4f}, {:.4f}] {:>9}"


class Seen(NamedTuple):
    probability: float
    right: bool
    features: tuple[float, ...]


class Pool:
    """What a pool learns, and how: `alone` by its limit on the prior, `near` by one of near misses too, `model`."""

    def __init__(self, kind: Kind, rate: float, how: str, sample: float, seed: int) -> None:
        self.judge, self.rate, self.how, self.sample = Judge(rate, kind), rate, how, sample
        self.hits, self.every = Calibration.of(kind), Calibration.of(kind)
        self.seen: list[Seen] = []
        self.correction: Correction | None = None
        self.chance, self.learned = np.random.default_rng(seed), 0

    def decide(self, kept: str, asked: str, near: float, others: Sequence[Other], right: bool) -> bool:
        if near < LEAST:
            return False
        found = self.judge.decide(kept, asked, near, self.hits, others, self.correction)
        if self.how == "near" and found.probability >= NEAR:
            found = found if found.hit else _at_least(found, self.every.proven(self.rate))
        self.learned += found.learned
        if found.probability >= NEAR and self.chance.random() < self.sample * (1 if found.hit else NEARLY):
            self._learn(found, right)
        return found.hit

    def _learn(self, found: Decision, right: bool) -> None:
        one = Seen(found.probability, right, found.features)
        if found.hit and not found.learned:
            self.hits.learn(one)
        if self.how == "near":
            self.every.learn(one)
        self.seen.append(one)
        if self.how == "model" and len(self.seen) % AGAIN == 0:
            self.correction = Correction.of(self.judge.kind, self.seen)


def _at_least(found: Decision, limit: float) -> Decision:
    served = found.probability >= limit
    return Decision(served, found.probability, found.reasons, served, found.features)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--vectors", type=Path)
    options.add_argument("--requests", type=int, default=30_000)
    options.add_argument("--rates", type=float, nargs="+", default=[0.01, 0.05])
    options.add_argument("--sample", type=float, default=0.05)
    given = options.parse_args()
    sets = {path.name.removesuffix(".jsonl.gz"): pairs(path) for path in sorted(given.data.glob("pairs_*.jsonl.gz"))}
    intents = lines(given.data / "intents.jsonl.gz")
    texts = [text for found in sets.values() for pair in found for text in pair[:2]]
    vectors = embedded([*texts, *(row["text"] for row in intents)], given.vectors)
    print(HEAD.format("stream", "rate", "learns", "hits", "share", "wrong", "share", "95% limits", "by model"))
    for name, found in sets.items():
        compared(name, "open", given, partial(drawn, found, vectors, given.requests))
    for name in sorted({row["set"] for row in intents}):
        rows = [row for row in intents if row["set"] == name]
        compared(name, "closed", given, partial(whole, rows, vectors))


def compared(name: str, kind: Kind, given: Any, play: Callable[[int, Decide], Served]) -> None:
    for rate in given.rates:
        for how in ("alone", "near", "model"):
            pools = [Pool(kind, rate, how, given.sample, seed) for seed in range(2)]
            served = [play(seed, pool.decide) for seed, pool in enumerate(pools)]
            all_ = Served(*map(sum, zip(*served, strict=True)))
            limits, shares = interval(all_.wrong, all_.hits), (all_.hits / all_.requests, all_.wrong, all_.share)
            print(ROW.format(name, rate, how, all_.hits, *shares, *limits, sum(pool.learned for pool in pools)))


def whole(rows: Sequence[dict[str, Any]], vectors: dict[str, Any], seed: int, decide: Decide) -> Served:
    """A stream of all of them."""
    return stream(rows, vectors, seed, decide, len(rows))


def drawn(found: Sequence[Pair], vectors: dict[str, Any], requests: int, seed: int, decide: Decide) -> Served:
    """So many pairs drawn at random, each a kept question and a new one."""
    hits: list[bool] = []
    for at in np.random.default_rng(seed).integers(0, len(found), requests):
        pair = found[at]
        if decide(pair.a, pair.b, float(vectors[pair.a] @ vectors[pair.b]), (), pair.same):
            hits.append(pair.same)
    return Served(requests, len(hits), hits.count(False))


if __name__ == "__main__":
    main()
