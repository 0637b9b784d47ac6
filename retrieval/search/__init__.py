"""From a question and an `Index` to the passages that answer it, best first, each with the probability that it does.

    texts = views(question, turns)                            what is searched for, in a conversation
    found = candidates(index, Query(texts, vectors, scope))   dense and lexical, fused and calibrated
    found = reranked(found, scores)                           where a cross-encoder has rated them
    found = chosen(index, found, top_k)                       over the floor, without repetition
    found = expanded(index, found, fits)                      grown to their sections, as far as there is room

Knows neither how vectors are made nor where an index lives, and no model that rates: scores come in. Whatever takes an
index blocks: run it in a thread.
"""

from retrieval.search.calibration import FLOOR
from retrieval.search.candidates import CANDIDATES, candidates
from retrieval.search.choice import chosen, reranked
from retrieval.search.expansion import expanded
from retrieval.search.views import views

__all__ = ["CANDIDATES", "FLOOR", "candidates", "chosen", "expanded", "reranked", "views"]
