"""Rankings as a TREC run, for trec_eval and its kin: `query Q0 document rank score name`."""

from collections.abc import Iterator, Mapping
from math import inf, nextafter
from typing import Final

NAME: Final = "tollgate"


def run_lines(query: str, scores: Mapping[str, float]) -> Iterator[str]:
    """The lines of one question, of documents with scores, best first. White space in an id, which would be another
    column, becomes `_`.

    trec_eval goes by the scores and not by the ranks, and breaks ties by id: equal scores are told apart in their last
    digit.
    """
    before = inf
    for rank, (document, score) in enumerate(scores.items(), 1):
        before = min(score, nextafter(before, -inf))
        yield f"{_one_word(query)} Q0 {_one_word(document)} {rank} {before!r} {NAME}"


def _one_word(id: str) -> str:
    return "_".join(id.split()) or "_"
