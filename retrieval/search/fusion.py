"""Two measures of one passage made one: its cosine, and its BM25 score as a share of what the question could score.

Pure functions of numbers. Knows neither passages nor indexes, and what a score means as a probability is
`calibration`'s business.

Invariant: a passage's score depends on the question, itself and the size of the collection alone, not on what else was
found: so scores of different questions and parts of a collection can be compared. Ranks and ranges (reciprocal rank,
min-max) cannot, and lose to this: see `benchmarks.retrieval_quality`.
"""

import re
from typing import Final

import numpy as np

from retrieval.query import Vectors

WORD: Final = re.compile(r"\w+")
# How many of the best passages say what is looked for, how fast their say falls with their score, and how much they
# have beside the question's own. Flat optima on the development sets: 5 to 20, .02 to .08, .5 to 1 differ by .003.
HEARD: Final = 10
FALL: Final = 0.04
FEEDBACK: Final = 0.7


def shares(lexical: Vectors, text: str, passages: int) -> Vectors:
    """BM25 scores of a text as shares of what its words could score if all were as rare as words can be.

    A word in none of n passages has the weight ln(1 + n) or so, and BM25 gives a word up to 2.2 times its weight.
    """
    words = len(WORD.findall(text))
    return np.asarray(lexical / (max(words, 1) * np.log1p(max(passages, 1))), np.float32)


def fused(cosines: Vectors, lexical: Vectors) -> Vectors:
    """One score for each passage, of its cosine and its share. The two range alike (0 to about 0.9), and count alike:
    weights of 0.6 to 1.5 differ by .005 on each development set."""
    return cosines + lexical


def closer(
    question: Vectors, vectors: Vectors, scores: Vectors, feedback: float = FEEDBACK, fall: float = FALL
) -> Vectors:
    """The question's vector [dimensions] moved towards the best passages' [n, dimensions], its length kept.

    Rocchio's feedback without a user ("Relevance feedback in information retrieval", 1971), each passage heard by its
    score: one that is far ahead is heard alone.
    """
    best = np.argsort(-scores, kind="stable")[:HEARD]
    heard = np.exp((scores[best] - scores[best[0]]) / fall)
    moved = question + feedback * (heard / heard.sum()) @ vectors[best]
    return np.asarray(moved * (np.linalg.norm(question) / np.linalg.norm(moved)), np.float32)
