"""How good a retrieval is, on questions whose relevant documents people have named.

    judged = read(folder)                                a BEIR folder
    index = collection(judged, embedder, cache, report)  its documents as a collection, built once
    results = evaluate(index, embedder, judged, report)  each component and the fused ranking, measured alike

A document ranks where its best passage does, whoever ranks. Knows neither settings nor a terminal.
"""

from retrieval.evaluate.beir import BadFolder, Judged, Question, Text, read
from retrieval.evaluate.evaluation import Results, evaluate
from retrieval.evaluate.nothing import Point, at, curve
from retrieval.evaluate.rankings import COMPONENTS, FUSED, PLAIN
from retrieval.evaluate.throwaway import collection
from retrieval.evaluate.trec import run_lines

__all__ = [
    "COMPONENTS",
    "FUSED",
    "PLAIN",
    "BadFolder",
    "Judged",
    "Point",
    "Question",
    "Results",
    "Text",
    "at",
    "collection",
    "curve",
    "evaluate",
    "read",
    "run_lines",
]
