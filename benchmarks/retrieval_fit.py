"""Fits the calibration of `retrieval/search/calibration.py` anew, on the sets whose licences let that ship.

    python -m benchmarks.retrieval_fit --data FOLDER [--cache FOLDER]

mtRAG-UN (Apache-2.0) by the last turn and in its conversations, and XQuAD (CC BY-SA 4.0) with the paragraph that
answers, without it, and without its article; the ten best passages of each question. Prints the constants of all and of
each file alone, and how far probabilities are from what is true (the expected calibration error, ten bins) on each set.
"""

import argparse
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval_sets import Asked, Set, first_relevant, first_scores, load
from benchmarks.similarity_fit import fit

LICENSED: Final = ("mtragun", "xquad")
BINS: Final = 10

Matrix = NDArray[np.float64]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "tollgate" / "eval")
    given = options.parse_args()
    sets = load(given.data, given.cache)
    for sources in (LICENSED, *((source,) for source in LICENSED)):
        seen = [one for one in sets if one.source in sources]
        intercept, slope = fit(*map(np.concatenate, zip(*map(observed, seen), strict=True)))
        errors = ", ".join(f"{one.name} {error(one, intercept, slope):.3f}" for one in sets)
        print(f"{' + '.join(sources)}: intercept {intercept}, slope {slope}; calibration error: {errors}")


def observed(one: Set) -> tuple[Matrix, Matrix]:
    """Scores [passages, 1] and whether each is relevant."""
    questions: list[Asked] = [*one.answerable, *(q for others in one.unanswerable.values() for q in others)]
    scores = np.concatenate([first_scores(question) for question in questions])
    return scores[:, None].astype(np.float64), np.concatenate([first_relevant(question) for question in questions])


def error(one: Set, intercept: float, slope: float) -> float:
    scores, relevant = observed(one)
    probable = 1 / (1 + np.exp(-(intercept + slope * scores[:, 0])))
    bins = np.minimum((probable * BINS).astype(int), BINS - 1)
    return sum(abs(float(np.sum(probable[bins == b] - relevant[bins == b]))) for b in range(BINS)) / len(scores)


if __name__ == "__main__":
    main()
