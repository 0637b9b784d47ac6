"""How good retrieval is on judged questions, against its parts and the plain fusions, and when it finds nothing.

    python -m benchmarks.retrieval_quality --data FOLDER [--cache FOLDER]

FOLDER holds gzip'd JSON lines, `retrieval_*.jsonl.gz`: documents with doc, title and text, questions with query, text,
rel and, where there is one, history; such a set is measured by the last turn alone and in its conversation. nDCG@10 is
of documents, which rank where their best passage does, with 95% limits by bootstrap (2,000 resamples, seed 0). A lead
is the mean difference to another ranking, paired by question. `others` is nDCG@10 with the settings of the fusion that
have the best mean on the other files: of GRID, weight of the words, FEEDBACK and FALL. In the last table questions are
unanswerable as people judged, or because XQuAD's paragraph that answers is taken away, or all its article; the first
floor is the one that ships. A measurement: it asserts nothing.
"""

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np

from benchmarks.retrieval_sets import Asked, Set, first_scores, load
from retrieval.evaluate import COMPONENTS, PLAIN, at, curve
from retrieval.evaluate.metrics import ndcg
from retrieval.search import FLOOR
from retrieval.search.calibration import likely
from retrieval.search.fusion import closer, fused

GRID: Final = tuple(product((0.6, 0.8, 1.0, 1.2, 1.5), (0.0, 0.3, 0.5, 0.7, 1.0), (0.02, 0.04, 0.08)))
NAME: Final = 22  # characters

Setting = tuple[float, float, float]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "tollgate" / "eval")
    given = options.parse_args()
    sets = load(given.data, given.cache)
    qualities(sets)
    leads(sets)
    floors(sets)


def qualities(sets: Sequence[Set]) -> None:
    print(f"{'nDCG@10':{NAME}} questions   bm25  dense    rrf minmax  fused [95% limits] others (by the settings)")
    for one in sets:
        rows = one.results.rows()
        means = " ".join(f"{row['ndcg@10']:6.4f}" for row in rows)
        limits = f"[{rows[-1]['low']:.3f}, {rows[-1]['high']:.3f}]"
        chosen = max(GRID, key=lambda setting: fmean(gain(o, setting) for o in sets if o.source != one.source))
        print(f"{one.name:{NAME}} {len(one.answerable):9} {means} {limits:14} {gain(one, chosen):.4f} {chosen}")


def leads(sets: Sequence[Set]) -> None:
    names = (*COMPONENTS, *PLAIN)
    print(f"\n{'lead over':{NAME}}", *(f"{name:>26}" for name in names))
    for one in sets:
        found = (one.results.lead(name) for name in names)
        print(f"{one.name:{NAME}}", *(f"{f'{mean:+.4f} [{low:+.3f}, {high:+.3f}]':>26}" for mean, low, high in found))


def gain(one: Set, setting: Setting) -> float:
    """The mean nDCG@10 of a set with other settings of the fusion."""
    return fmean(ndcg(_ranked(question, setting), question.grades) for question in one.answerable)


def _ranked(question: Asked, setting: Setting) -> list[str]:
    weight, feedback, fall = setting
    pool, share = question.pool, question.pool.share * np.float32(weight)
    scores = fused(pool.vectors @ pool.question, share)
    moved = closer(pool.question, pool.vectors, scores, feedback, fall)
    order = np.argsort(-fused(pool.vectors @ moved, share), kind="stable")
    return list(dict.fromkeys(question.documents[order].tolist()))


def floors(sets: Sequence[Set]) -> None:
    print(f"\n{'set':{NAME}} {'unanswerable':22}  floor recognised  lost")
    for one in sets:
        answerable = [_most_probable(question) for question in one.answerable]
        for why, questions in one.unanswerable.items():
            unanswerable = [_most_probable(question) for question in questions]
            for point in (at(FLOOR, answerable, unanswerable), *curve(answerable, unanswerable)):
                print(f"{one.name:{NAME}} {why:22} {point.floor:.4f} {point.recognised:10.3f} {point.lost:.3f}")


def _most_probable(question: Asked) -> float:
    return float(likely(first_scores(question)).max(initial=0))


if __name__ == "__main__":
    main()
