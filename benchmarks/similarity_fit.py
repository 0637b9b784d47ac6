"""Fits the two logistic models of `gateway/similarity/prior.py` anew, on the data whose licences let that ship.

    python -m benchmarks.similarity_fit --data FOLDER [--vectors FILE.npz]

Statements: sentence pairs of the STS benchmark (CC BY-SA 4.0) that no veto of long statements refuses. Closed sets:
streams of BANKING77 (CC BY 4.0) and CLINC150 (CC BY 3.0), first against all that a cosine of 0.9 would have kept, then
against what the model itself keeps. Prints the constants. The curves over both are set by hand, from what
`benchmarks.similarity` measures; no other set is used to fit anything.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.similarity import REQUESTS, SAME, embedded, lines, stream
from gateway.similarity import Other
from gateway.similarity.comparison import Comparison
from gateway.similarity.prior import AROUND, NO_RIVAL
from gateway.similarity.reading import read
from gateway.similarity.vetoes import OF_STATEMENTS

Matrix = NDArray[np.float64]

NEAR = 0.7  # less similar pairs are never served, and must not bend the fit
RIDGE = 10.0  # on standardised features: two that say nearly the same share their weight
ROUNDS = 3  # of keeping by the model that the round before gave
TARGET = 0.01  # wrong share of the hits while streaming


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--vectors", type=Path)
    given = options.parse_args()
    rows, intents = lines(given.data / "pairs_stsb.jsonl.gz"), lines(given.data / "intents.jsonl.gz")
    texts = [row[side] for row in rows for side in ("a", "b")] + [row["text"] for row in intents]
    vectors = embedded(texts, given.vectors)
    print("statements: intercept, near, exchanged (log, share), added (log, share)", *fit(*statements(rows, vectors)))
    print("closed sets: alone, nearer, rival, support", *closed(intents, vectors))


def fit(features: Matrix, right: Matrix) -> list[float]:
    """Intercept and weights of a logistic regression, by Newton's method, with a small ridge on the weights."""
    spread = features.std(axis=0)
    x = np.column_stack([np.ones(len(features)), features / spread])
    weights, ridge = np.zeros(x.shape[1]), np.diag([0.0, *[RIDGE] * features.shape[1]])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        step = np.linalg.solve((x.T * (p * (1 - p))) @ x + ridge, x.T @ (right - p) - ridge @ weights)
        weights += step
        if np.abs(step).max() < 1e-9:
            break
    return [round(float(weight), 2) for weight in weights / [1.0, *spread]]


def statements(rows: Sequence[dict[str, Any]], vectors: dict[str, Any]) -> tuple[Matrix, Matrix]:
    features, right = [], []
    for row in rows:
        a, b = read(row["a"]), read(row["b"])
        cosine = float(vectors[row["a"]] @ vectors[row["b"]])
        if cosine < NEAR or any(veto(a, b) for _, veto in OF_STATEMENTS):
            continue
        words = Comparison.of(a, b)
        size = max(words.size, 1.0)
        near = -np.log(max(1 - cosine, 1e-3))
        exchanged, added = words.exchanged, words.added
        features.append([near, np.log1p(exchanged), exchanged / size, np.log1p(added), added / size])
        right.append(row["score"] >= SAME)
    return np.array(features), np.array(right, float)


def closed(intents: Sequence[dict[str, Any]], vectors: dict[str, Any]) -> list[float]:
    sets = [[row for row in intents if row["set"] == name] for name in sorted({row["set"] for row in intents})]
    serve: Callable[[Matrix], bool] = lambda seen: bool(seen[0] >= 0.9)  # noqa: E731 # replaced in each round
    weights: list[float] = []
    for _ in range(ROUNDS):
        seen = [pair for rows in sets for seed in range(3) for pair in watched(rows, vectors, seed, serve)]
        features, right = np.array([pair[:3] for pair in seen]), np.array([pair[3] for pair in seen])
        near = features[:, 0] >= NEAR - 0.1
        weights = fit(features[near], right[near])
        limit = lowest(score(features, weights), right)
        serve = lambda seen, weights=weights, limit=limit: bool(score(seen[None], weights)[0] >= limit)  # type: ignore[misc] # noqa: E731
    return [weights[0], weights[1], -weights[2], weights[3]]


def watched(
    rows: Sequence[dict[str, Any]], vectors: dict[str, Any], seed: int, serve: Callable[[Matrix], bool]
) -> Iterator[tuple[float, float, float, float]]:
    """(similarity, rival, support, right) of the requests of one stream."""
    seen: list[tuple[float, float, float, float]] = []

    def decide(kept: str, asked: str, near: float, others: Sequence[Other], right: bool) -> bool:
        around = others[:AROUND]
        rival = max((other.similarity for other in around if not other.same), default=NO_RIVAL)
        features = near, max(rival, NO_RIVAL), float(sum(other.same for other in around))
        seen.append((*features, float(right)))
        return serve(np.array(features))

    stream(rows, vectors, seed, decide)
    assert len(seen) < REQUESTS
    return iter(seen)


def score(features: Matrix, weights: Sequence[float]) -> Matrix:
    return np.asarray(weights[0] + features @ np.array(weights[1:]))


def lowest(scores: Matrix, right: Matrix) -> float:
    """The lowest score from which on the wrong share is at most TARGET."""
    order = np.argsort(-scores)
    kept = np.flatnonzero(np.cumsum(1 - right[order]) / np.arange(1, len(order) + 1) <= TARGET)
    return float(scores[order[kept[-1]]]) if len(kept) else float("inf")


if __name__ == "__main__":
    main()
