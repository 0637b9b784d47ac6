"""How well the decision holds its error rate, and how much it serves: labelled pairs, streams and hand-written traps.

    python -m benchmarks.similarity --data FOLDER [--vectors FILE.npz] [--rates 0.005 0.01 0.03 0.05] [--streams 4]

FOLDER holds gzip'd JSON lines: `pairs_*.jsonl.gz` with a, b and dup (or a score of 0 to 5: same from 4.5 on) and
`intents.jsonl.gz` with text, intent and set. `cosine` beside a row is the best single threshold, chosen on the very
pairs, whose wrong share is not above the rate (`at rate`) or not above that of our own hits (`at ours`). In a stream a
request asks for the nearest of all questions kept so far; a miss is kept; of the hits 5% are answered anew and learned
from; `static` is the best threshold, chosen on the very streams, whose wrong share is not above the rate. Vectors are
kept in FILE. A measurement: it asserts nothing.
"""

import argparse
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.similarity import Calibration, Judge, Other
from gateway.similarity.bounds import interval
from retrieval.embed import Embedder, Vectors
from retrieval.weights import MINILM

TRAPS = Path(__file__).parents[1] / "tests" / "gateway" / "similarity"
SAME = 4.5  # of 5: the score from which two sentences say the same
REQUESTS = 2000
FEEDBACK = 0.05  # share of the hits that is answered anew
HEAD = "{:22} {:>6} {:>7} {:>7} {:>6} {:>7} {:>16} {:>8} {:>8}"
ROW = "{:22} {:>6.3f} {:>7} {:>7.4f} {:>6} {:>7.4f} [{:.4f}, {:.4f}] {:>8} {:>8}"


class Pair(NamedTuple):
    """`same`: one answer may stand for both."""

    a: str
    b: str
    same: bool


class Observation(NamedTuple):
    probability: float
    right: bool


class Served(NamedTuple):
    """Hits and the wrong ones among them, of so many requests."""

    requests: int
    hits: int
    wrong: int

    @property
    def share(self) -> float:
        return self.wrong / self.hits if self.hits else 0.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--vectors", type=Path)
    options.add_argument("--rates", type=float, nargs="+", default=[0.005, 0.01, 0.03, 0.05])
    options.add_argument("--streams", type=int, default=4, help="per set of intents, each in an order of its own")
    given = options.parse_args()
    sets = {path.name.removesuffix(".jsonl.gz"): pairs(path) for path in sorted(given.data.glob("pairs_*.jsonl.gz"))}
    traps = {name: [Pair(row["a"], row["b"], name == "paraphrases") for row in lines(TRAPS / f"{name}.jsonl")]
             for name in ("adversarial", "paraphrases")}  # fmt: skip
    intents = lines(given.data / "intents.jsonl.gz")
    texts = [text for found in (sets | traps).values() for pair in found for text in pair[:2]]
    vectors = embedded([*texts, *(row["text"] for row in intents)], given.vectors)
    print(HEAD.format("set", "rate", "hits", "share", "wrong", "share", "95% limits", "at rate", "at ours"))
    for name, found in (sets | traps).items():
        for rate in given.rates:
            of_pairs(name, found, vectors, rate)
    for name in sorted({row["set"] for row in intents}):
        of_stream(name, [row for row in intents if row["set"] == name], vectors, given.rates, given.streams)


def lines(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def pairs(path: Path) -> list[Pair]:
    return [Pair(row["a"], row["b"], bool(row.get("dup", row.get("score", 0) >= SAME))) for row in lines(path)]


def embedded(texts: Iterable[str], kept: Path | None) -> dict[str, NDArray[np.float32]]:
    """Every text's vector; those in the file are not computed again."""
    known: dict[str, NDArray[np.float32]] = {}
    if kept and kept.exists():
        with np.load(kept, allow_pickle=False) as file:
            known = dict(zip(file["texts"].tolist(), file["vectors"], strict=True))
    missing = sorted({*texts} - known.keys(), key=len)  # of like length in a batch: less padding
    if missing:
        with closing(Embedder()) as embedder:
            known.update(zip(missing, embedder.encode(missing), strict=True))
        if kept:
            np.savez(kept, texts=np.array(list(known)), vectors=np.stack(list(known.values())))
    return known


def of_pairs(name: str, found: Sequence[Pair], vectors: dict[str, Any], rate: float) -> None:
    judge, evidence = Judge(rate), Calibration.of("open")
    near = np.array([vectors[pair.a] @ vectors[pair.b] for pair in found])
    hit = [judge.decide(pair.a, pair.b, float(cosine), evidence).hit for pair, cosine in zip(found, near, strict=True)]
    wrong = sum(served and not pair.same for served, pair in zip(hit, found, strict=True))
    ours = Served(len(found), sum(hit), wrong)
    same = np.array([pair.same for pair in found])
    show(name, rate, ours, threshold(near, same, rate), threshold(near, same, ours.share))


def threshold(near: NDArray[Any], same: NDArray[np.bool_], most: float) -> int:
    """Hits of the best single threshold of which at most that share is wrong."""
    order = np.argsort(-near, kind="stable")
    shares = np.cumsum(~same[order]) / np.arange(1, len(order) + 1)
    kept = np.flatnonzero(shares <= most)
    return int(kept[-1]) + 1 if len(kept) else 0


def of_stream(name: str, rows: Sequence[dict[str, Any]], vectors: dict[str, Any], rates: list[float], n: int) -> None:
    statics = [total(stream(rows, vectors, seed, at_least(cosine)) for seed in range(n)) for cosine in CUTS]
    for rate in rates:
        ours = total(stream(rows, vectors, seed, learning(rate, seed)) for seed in range(n))
        at_rate, at_ours = (
            max((static.hits for static in statics if static.share <= most), default=0) for most in (rate, ours.share)
        )
        show(f"stream {name}", rate, ours, at_rate, at_ours)


# (kept question, new one, their cosine, the other near ones, whether the kept answer is right) -> whether it is served
Decide = Callable[[str, str, float, Sequence[Other], bool], bool]
NEAR = 5  # kept questions that are looked at
CUTS = np.arange(0.76, 0.98, 0.01)


def at_least(cosine: float) -> Decide:
    return lambda kept, asked, near, others, right: near >= cosine


def learning(rate: float, seed: int) -> Decide:
    """The judge of a closed set, told of some of its hits whether they were right."""
    judge, evidence, chance = Judge(rate, "closed"), Calibration.of("closed"), np.random.default_rng(seed)

    def decide(kept: str, asked: str, near: float, others: Sequence[Other], right: bool) -> bool:
        decision = judge.decide(kept, asked, near, evidence, others)
        if decision.hit and chance.random() < FEEDBACK:
            evidence.learn(Observation(decision.probability, right))
        return decision.hit

    return decide


def stream(
    rows: Sequence[dict[str, Any]], vectors: dict[str, Any], seed: int, decide: Decide, requests: int = REQUESTS
) -> Served:
    order = np.random.default_rng(seed).permutation(len(rows))[:requests]
    kept: list[dict[str, Any]] = []
    matrix: Vectors = np.empty((requests, MINILM.dimensions), np.float32)
    hits = wrong = 0
    for row in (rows[at] for at in order):
        cosines = matrix[: len(kept)] @ vectors[row["text"]]
        nearest = [int(at) for at in np.argsort(-cosines)[:NEAR]]
        if nearest:
            found = kept[nearest[0]]
            others = [Other(float(cosines[at]), kept[at]["intent"] == found["intent"]) for at in nearest[1:]]
            right = found["intent"] == row["intent"]
            if decide(found["text"], row["text"], float(cosines[nearest[0]]), others, right):
                hits, wrong = hits + 1, wrong + (not right)
                continue
        matrix[len(kept)] = vectors[row["text"]]
        kept.append(row)
    return Served(len(order), hits, wrong)


def total(served: Iterator[Served]) -> Served:
    return Served(*map(sum, zip(*served, strict=True)))


def show(name: str, rate: float, ours: Served, at_rate: int, at_ours: int) -> None:
    limits = interval(ours.wrong, ours.hits)
    print(
        ROW.format(name, rate, ours.hits, ours.hits / ours.requests, ours.wrong, ours.share, *limits, at_rate, at_ours)
    )


if __name__ == "__main__":
    main()
