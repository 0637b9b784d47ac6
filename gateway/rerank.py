"""Rates texts by how well they fit a query, with a cross-encoder that a backend serves (`[models.*] scores = true`).

Speaks vLLM's /rerank (docs.vllm.ai, "Rerank API": Jina's and Cohere's shape, which llama.cpp's server has too). Knows
neither what the scores are for nor any budget. What a score means is the model's own: they order texts, no more.

Invariants: whatever goes wrong is RerankerUnavailable, and is told within the deadline; texts are rated whole, for a
text beyond the model's window fails the call.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from math import isfinite
from typing import Any

from gateway.models import Model
from gateway.scoring import Unscored, scored
from serving.backend import Backend
from serving.errors import BackendBroken

RERANK = "/rerank"


class RerankerUnavailable(Exception):
    """Raised when there are no scores; the text says why, and holds nothing of what was to be rated."""


class Reranker:
    """Asks the backends of one alias. `seconds` bounds each call."""

    def __init__(self, models: Mapping[str, Model], alias: str, seconds: float) -> None:
        self._models, self._alias, self._seconds = models, alias, seconds

    async def scores(self, query: str, texts: Sequence[str], salt: str | None = None) -> list[float]:
        """One for each text, the higher the better it fits. Raises RerankerUnavailable.

        `salt` keeps the engine's prefix cache apart (vLLM's `cache_salt`, up to 128 of hex): one per tenant.
        """
        if not texts:
            return []
        body = {"query": query, "documents": list(texts)} | ({"cache_salt": salt} if salt else {})
        read = partial(_scores, texts=len(texts))
        try:
            return await scored(self._models, self._alias, RERANK, body, self._seconds, read)
        except Unscored as error:
            raise RerankerUnavailable(str(error)) from error


def _scores(backend: Backend, answer: Any, texts: int) -> list[float]:
    """By the texts' order; vLLM gives the best first (vllm/entrypoints/pooling/scoring/protocol.py, RerankResponse)."""
    try:
        scores = {int(result["index"]): float(result["relevance_score"]) for result in answer["results"]}
        if scores.keys() != set(range(texts)) or not all(map(isfinite, scores.values())):
            raise ValueError("not one score for each text")
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BackendBroken(backend.name, f"the answer to {RERANK} has an unexpected shape") from error
    return [scores[index] for index in range(texts)]
