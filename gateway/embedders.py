"""What makes vectors of texts: the backends of an alias, or the gateway's own model. Knows no budget and no HTTP.

Another model's vectors are no substitute, so there are no fallbacks: only the replicas of one alias stand in for each
other. Invariants: a text is embedded whole or refused, never cut; the time that an answer takes tells nothing of what
other tenants had embedded.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gateway.errors import ContextLengthExceeded, InvalidValue, Unavailable
from gateway.exchange import Call
from gateway.models import Model
from gateway.settings import OWN_EMBEDDER
from gateway.stages.route import cache_salt
from gateway.tracing import Stage
from retrieval.embed import MAX_CHARS, Embedder, Vectors
from retrieval.endpoint import row
from retrieval.weights import MINILM
from serving.backend import EMBEDDINGS, Backend
from serving.errors import BackendBroken, BackendBusy, BackendError, BackendRejected
from serving.tokens import Count

AROUND = 16  # tokens that an engine may put around a text: its special ones, an instruction
SLICE = 8  # texts that the own model is given at once: other tenants' questions to it wait for no more of them


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors, float32 [texts, dimensions], in the order of the texts, and the tokens that were read for them."""

    vectors: Vectors
    used: Count

    def facts(self) -> dict[str, Any]:
        texts, dimensions = self.vectors.shape
        return {"texts": texts, "dimensions": dimensions, "input_tokens": self.used.tokens, "source": self.used.source}


class Source(Protocol):
    """A model that embeds: its `name` here, and its `window`, in tokens of one text."""

    @property
    def name(self) -> str: ...

    @property
    def window(self) -> int: ...

    async def count(self, call: Call) -> Count:
        """The most tokens that all texts of the call can be. Raises ContextLengthExceeded, InvalidValue."""
        ...

    async def embed(self, call: Call, most: Count) -> Embedded:
        """`most` is the count. Raises BackendError or EmbedderUnavailable."""
        ...


class Own:
    """The gateway's own model, all-MiniLM-L6-v2."""

    name, window = OWN_EMBEDDER, MINILM.window

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def count(self, call: Call) -> Count:
        """Exact: the model's own word pieces, [CLS] and [SEP] of each text included."""
        if call.fields.get("dimensions", MINILM.dimensions) != MINILM.dimensions:
            raise InvalidValue(f"Vectors of {self.name} have {MINILM.dimensions} dimensions.", param="dimensions")
        return Count(await asyncio.to_thread(self._counted, call.inputs), "exact")

    async def embed(self, call: Call, most: Count) -> Embedded:
        call.trace.on_sent()
        slices = [call.inputs[begin : begin + SLICE] for begin in range(0, len(call.inputs), SLICE)]
        return Embedded(np.concatenate([await self._embedder.embed_anew(texts) for texts in slices]), most)

    def _counted(self, texts: Sequence[str]) -> int:
        return sum(self._whole(number, text) for number, text in enumerate(texts))

    def _whole(self, number: int, text: str) -> int:
        """Tokens of a text that the model reads to its end."""
        if len(text) > MAX_CHARS:
            raise ContextLengthExceeded(
                f"input[{number}] has {len(text)} characters, of which {self.name} reads {MAX_CHARS} at most, "
                f"and at most {self.window} tokens: split it.",
                param="input",
            )
        tokens = self._embedder.tokens(text)
        if tokens > self.window:
            raise ContextLengthExceeded(
                f"input[{number}] has {tokens} tokens and the window of {self.name} is {self.window}: "
                f"shorten it by at least {tokens - self.window}, or split it.",
                param="input",
            )
        return tokens


class Served:
    """An alias whose backends make embeddings. `attempts` bounds how many are asked; `secret` keys the cache salts."""

    def __init__(self, model: Model, attempts: int, secret: bytes) -> None:
        self._model, self._attempts, self._secret = model, attempts, secret
        self.name, self.window = model.alias, model.window

    async def count(self, call: Call) -> Count:
        """A guess, rather too many: what is billed the engine counts, and to ask it for each of thousands is too dear.

        What is longer than the window it refuses itself.
        """
        return Count(await asyncio.to_thread(self._guessed, call.inputs), "estimate")

    async def embed(self, call: Call, most: Count) -> Embedded:
        failure: BackendError | None = None
        for backend in self._model.pool.order()[: self._attempts]:
            began = time.perf_counter_ns()
            try:
                embedded = await self._asked(backend, call, most)
            except BackendError as error:
                self._note(call, began, backend).error = type(error).__name__
                if isinstance(error, BackendRejected):
                    raise
                if not isinstance(error, BackendBusy):
                    self._model.pool.failed(backend)
                failure = error
            else:
                self._note(call, began, backend)
                self._model.pool.succeeded(backend)
                return embedded
        raise failure or Unavailable(f"The model {self.name!r} has no backend.")

    async def _asked(self, backend: Backend, call: Call, most: Count) -> Embedded:
        body = {
            **call.fields,
            "model": self._model.served,
            "input": call.inputs,
            "encoding_format": "base64",  # a quarter of the bytes that numbers take
            "cache_salt": cache_salt(self._secret, call.caller.tenant),
        }
        headers = {"x-request-id": call.request_id, "traceparent": call.trace.traceparent}
        with self._model.pool.using(backend):
            answer = await backend.ask(EMBEDDINGS, body, headers, call.trace.on_sent)
        try:
            return Embedded(_vectors(answer["data"], len(call.inputs)), _used(answer["usage"], most))
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise BackendBroken(backend.name, f"the answer to {EMBEDDINGS} has an unexpected shape") from error

    def _guessed(self, texts: Sequence[str]) -> int:
        return sum(self._model.tokens.text(text) + AROUND for text in texts)

    def _note(self, call: Call, began: int, backend: Backend) -> Stage:
        return call.trace.note("route", began, backend=backend.name, model=self.name, served=self._model.served)


def _vectors(data: Sequence[Mapping[str, Any]], texts: int) -> Vectors:
    """vLLM's vectors (vllm/entrypoints/pooling/embed/protocol.py), by their index. Raises ValueError and the like."""
    rows = {int(entry["index"]): row(entry["embedding"]) for entry in data}
    if rows.keys() != set(range(texts)):
        raise ValueError("not one vector for each text")
    vectors = np.stack([rows[index] for index in range(texts)])
    if not vectors.size or not np.isfinite(vectors).all():
        raise ValueError("a vector is empty or holds what is no number")
    return vectors


def _used(usage: Mapping[str, Any], most: Count) -> Count:
    """What the engine says it has read, where that can be."""
    tokens = int(usage["prompt_tokens"])
    return Count(tokens, "exact") if 0 < tokens <= most.tokens else most
