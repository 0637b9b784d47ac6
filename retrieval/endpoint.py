"""Texts to vectors at a server that speaks OpenAI's `POST /v1/embeddings`: vLLM with an embedding model, or any other.

Knows no tenant. Invariants: vectors are made unit length here, whatever the server does; what it answers is checked
for its shape before it is believed; a replica that fails is passed over for the next one; keys and texts appear in no
message. `identity` says the model's name, dimensions and prompts: whether the same model still stands behind that name
is for who runs the server to know, and another one should get another name.
"""

import asyncio
import hashlib
import json
import threading
from base64 import b64decode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import httpx2
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from retrieval.encodable import encodable
from retrieval.weights import MINILM, TOKENIZER, EmbedderUnavailable, tokenizer

Vectors = NDArray[np.float32]

PATH: Final = "/v1/embeddings"
SLICE: Final = 64  # texts a request: some 13,000 tokens of passages, below what engines take at once
TIMEOUT_S: Final = 60.0
CHARS: Final = 32  # of one token: no language comes near
MARKS: Final = 2  # tokens that a model puts around a text
THREADS: Final = 8  # questions asked at a time: a server that hangs holds up these, and no other work


@dataclass(frozen=True, slots=True)
class Served:
    """What is asked where. Each of the `replicas` is a URL, without the path, and its own key or None; `query` and
    `passage` are put before what is asked and what is searched, as the model was trained."""

    model: str
    replicas: tuple[tuple[str, str | None], ...]
    dimensions: int
    window: int
    query: str = ""
    passage: str = ""
    tokenizer: str | None = None  # path of its tokenizer.json, to count with


class Endpoint:
    """An embedder that is asked over HTTP. Safe to use from several threads; `embed` from an event loop."""

    def __init__(self, served: Served) -> None:
        self.identity = f"{served.model}{_mark(served)}/{served.dimensions}/served"
        self.dimensions, self.window = served.dimensions, served.window
        self._served = served
        self._client = httpx2.Client(timeout=TIMEOUT_S, trust_env=False)
        self._first = 0  # the replica that answered last
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="embeddings")

    async def embed(self, texts: Sequence[str], asker: str = "") -> Vectors:
        """Unit vectors of questions, float32 [len(texts), dimensions]; nothing is remembered for any `asker`.

        Raises EmbedderUnavailable.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.ask, texts)

    def ask(self, texts: Sequence[str]) -> Vectors:
        """The same outside an event loop: blocks."""
        return self._vectors([self._served.query + text for text in texts])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of passages; blocks. Raises EmbedderUnavailable."""
        return self._vectors([self._served.passage + text for text in texts])

    def tokens(self, text: str) -> int:
        """Tokens of a whole passage: by its own tokenizer where that is known, else by MiniLM's word pieces, which are
        about as many as those of other vocabularies of that size."""
        return len(self._tokenizer.encode(self._served.passage + encodable(text)))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        whole = [self._cut(encodable(text)) for text in texts]
        parts = [self._slice(whole[start : start + SLICE]) for start in range(0, len(whole), SLICE)]
        return np.concatenate(parts) if parts else np.empty((0, self.dimensions), np.float32)

    def _cut(self, text: str) -> str:
        """What of a text the model reads: engines refuse longer ones."""
        text = text[: CHARS * self.window]
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        most = self.window - MARKS
        return text if len(offsets) <= most else text[: offsets[most - 1][1]]

    def _slice(self, texts: Sequence[str]) -> Vectors:
        """From the first replica that answers, beginning with the one that did last."""
        failures = []
        for turn in range(len(self._served.replicas)):
            at = (self._first + turn) % len(self._served.replicas)
            try:
                vectors = self._asked(*self._served.replicas[at], texts)
            except (httpx2.HTTPError, ValueError, LookupError, TypeError) as error:
                failures.append(_said(error))
                continue
            with self._lock:
                self._first = at
            return vectors
        raise EmbedderUnavailable(f"no embeddings of {self._served.model!r}: {'; '.join(failures)}")

    def _asked(self, url: str, key: str | None, texts: Sequence[str]) -> Vectors:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        body = {"model": self._served.model, "input": list(texts), "encoding_format": "base64"}
        answer = self._client.post(url.rstrip("/") + PATH, json=body, headers=headers).raise_for_status().json()
        rows = {int(entry["index"]): row(entry["embedding"]) for entry in answer["data"]}
        vectors = np.stack([rows[index] for index in range(len(texts))]).astype(np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if vectors.shape[1] != self.dimensions or not np.isfinite(norms).all() or not norms.all():
            raise ValueError(f"vectors of {vectors.shape[1]} numbers came, not of {self.dimensions} finite ones")
        return np.asarray(vectors / norms, np.float32)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        own = self._served.tokenizer
        return tokenizer(Path(own) if own else MINILM.checked(TOKENIZER))


def _mark(served: Served) -> str:
    """Of the prompts, without which the same model makes other vectors."""
    if not (served.query or served.passage):
        return ""
    return f"@{hashlib.sha256(json.dumps([served.query, served.passage]).encode()).hexdigest()[:12]}"


def row(embedding: Any) -> Vectors:
    """One vector: base64 of little-endian float32, or numbers from a server that does not know base64."""
    raw = b64decode(embedding, validate=True) if isinstance(embedding, str) else np.asarray(embedding, "<f4")
    return np.frombuffer(raw, "<f4")


def _said(error: Exception) -> str:
    """What went wrong, without what was sent: a status, or the kind of failure."""
    if isinstance(error, httpx2.HTTPStatusError):
        return f"it answered {error.response.status_code}"
    return "its answer has an unexpected shape" if not isinstance(error, httpx2.HTTPError) else type(error).__name__
