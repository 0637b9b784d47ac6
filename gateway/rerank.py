"""Rates texts by how well they fit a query, with a cross-encoder that a backend serves (`[models.*] scores = true`).

Speaks vLLM's /rerank (docs.vllm.ai, "Rerank API": Jina's and Cohere's shape, which llama.cpp's server has too). Knows
neither what the scores are for nor any budget. What a score means is the model's own: they order texts, no more.

Invariants: whatever goes wrong is RerankerUnavailable, and is told within the deadline; texts are rated whole, for a
text beyond the model's window fails the call; one replica is asked once, and none that failed too often.
"""

import asyncio
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from gateway.models import Model
from serving.backend import Backend
from serving.errors import BackendBroken, BackendBusy, BackendError, BackendRejected

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
        model = self._models.get(self._alias)
        if model is None:
            raise RerankerUnavailable(f"the model {self._alias!r} is not connected")
        backend = model.pool.order()[0]
        if model.pool.ejected(backend):
            raise RerankerUnavailable(f"backend {backend.name!r} failed too often and is left alone for a while")
        body = {"model": model.served, "query": query, "documents": list(texts)}
        return await self._asked(model, backend, body | ({"cache_salt": salt} if salt else {}))

    async def _asked(self, model: Model, backend: Backend, body: Mapping[str, Any]) -> list[float]:
        """The pool is told how it went; that the request was wrong, or no connection free, is no failure of it."""
        try:
            with model.pool.using(backend):
                async with asyncio.timeout(self._seconds):
                    scores = _scores(backend, await backend.ask(RERANK, body), len(body["documents"]))
        except (BackendRejected, BackendBusy) as error:
            raise RerankerUnavailable(f"backend {backend.name!r}: {error.message}") from error
        except BackendError as error:
            model.pool.failed(backend)
            raise RerankerUnavailable(f"backend {backend.name!r}: {error.message}") from error
        except TimeoutError as error:
            model.pool.failed(backend)
            raise RerankerUnavailable(f"backend {backend.name!r}: no scores within {self._seconds:g} s") from error
        model.pool.succeeded(backend)
        return scores


def _scores(backend: Backend, answer: Any, texts: int) -> list[float]:
    """By the texts' order; vLLM gives the best first (vllm/entrypoints/pooling/scoring/protocol.py, RerankResponse)."""
    try:
        scores = {int(result["index"]): float(result["relevance_score"]) for result in answer["results"]}
        if scores.keys() != set(range(texts)) or not all(map(isfinite, scores.values())):
            raise ValueError("not one score for each text")
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BackendBroken(backend.name, f"the answer to {RERANK} has an unexpected shape") from error
    return [scores[index] for index in range(texts)]
