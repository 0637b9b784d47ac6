"""Files of question pairs: read, embedded and judged as the cache would, for `tollgate cache judge` and `calibrate`."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import orjson

from gateway.cli.common import Failure
from gateway.similarity import Calibration, Decision, Judge
from retrieval.embed import Embedder, EmbedderUnavailable

AT_ONCE = 512  # pairs that are embedded together; the first verdicts of a long file come within seconds


@dataclass(frozen=True, slots=True)
class Pair:
    """A kept question and a new one; `dup`: whether the kept answer may be served, where that is known."""

    a: str
    b: str
    dup: bool | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair's cosine and verdict. `probability` and `right` make it an observation."""

    similarity: float
    decision: Decision
    right: bool

    @property
    def probability(self) -> float:
        return self.decision.probability


def judged(path: Path, judge: Judge, labelled: bool = False) -> Iterator[Judged]:
    """Every line of a file in its order, judged by what is known before anything is observed. Raises Failure."""
    evidence = Calibration.of(judge.kind)
    with closing(Embedder()) as embedder, _open(path) as lines:
        numbered = enumerate(lines, 1)
        while batch := [_pair(path, number, line, labelled) for number, line in islice(numbered, AT_ONCE)]:
            for pair, similarity in zip(batch, _similarities(embedder, batch), strict=True):
                yield Judged(similarity, _decision(judge, evidence, embedder, pair, similarity), bool(pair.dup))


def _decision(judge: Judge, evidence: Calibration, embedder: Embedder, pair: Pair, similarity: float) -> Decision:
    if not (embedder.fits(pair.a) and embedder.fits(pair.b)):
        return Decision(False, 0.0, ("the embedder cannot read the question whole",))
    return judge.decide(pair.a, pair.b, similarity, evidence)


def _similarities(embedder: Embedder, batch: Sequence[Pair]) -> list[float]:
    texts = list(dict.fromkeys(text for pair in batch for text in (pair.a, pair.b)))
    try:
        vectors = dict(zip(texts, embedder.encode(texts), strict=True))
    except EmbedderUnavailable as error:
        raise Failure(str(error)) from error
    return [float(vectors[pair.a] @ vectors[pair.b]) for pair in batch]


def _pair(path: Path, number: int, line: bytes, labelled: bool) -> Pair:
    keys = {"a", "b", "dup"} if labelled else {"a", "b"}
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Failure(f"{path}, line {number}: {error}") from error
    if not (isinstance(row, dict) and keys <= row.keys() and isinstance(row["a"], str) and isinstance(row["b"], str)):
        shape = '{"a": "kept question", "b": "new one"' + (', "dup": 0 or 1}' if labelled else "}")
        raise Failure(f"{path}, line {number}: a line is {shape}")
    return Pair(row["a"], row["b"], bool(row["dup"]) if labelled else None)


def _open(path: Path) -> BinaryIO:
    try:
        return sys.stdin.buffer if str(path) == "-" else path.open("rb")
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from error
