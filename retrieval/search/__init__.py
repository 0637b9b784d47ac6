"""From a question and an `Index` to the passages that answer it, best first, each with the probability that it does.

    texts = views(question, turns)                                  what is searched for, in a conversation
    found = candidates(index, Query(texts, vectors, scope))         dense and lexical, fused and calibrated
    found = reranked(found, scores)                                 where a cross-encoder has rated them
    found = chosen(index, found, top_k)                             over the floor, without repetition
    found = expanded(index, found, fits)                            with the section around them, as far as there is room

Knows neither how vectors are made nor where an index lives, and no model that rates: scores come in.
"""

from retrieval.search.candidates import CANDIDATES, candidates
from retrieval.search.choice import chosen, reranked
from retrieval.search.expansion import expanded
from retrieval.search.floor import FLOOR
from retrieval.search.views import views

__all__ = ["CANDIDATES", "FLOOR", "candidates", "chosen", "expanded", "reranked", "views"]
