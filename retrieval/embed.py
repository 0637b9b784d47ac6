"""Texts to vectors on the CPU, with all-MiniLM-L6-v2 or any other sentence-transformers model.

Does not know what a text means to its caller: a question, a passage and a cache key are all strings here.

Invariants:
- Constructing costs nothing. torch is imported and the model loaded by the worker thread, on the first use or `load()`.
- One worker thread owns the model, so the event loop never waits for arithmetic and texts of concurrent callers share a
  batch: while one batch is computed the next ones gather.
- `identity` names everything that could change a vector. It belongs in every cache key and index manifest, because
  vectors of different backends or precisions are not comparable near a threshold.
"""

import asyncio
import os
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from retrieval.encodable import encodable
from retrieval.weights import MINILM, TOKENIZER, Weights, tokenizer
from retrieval.weights import EmbedderUnavailable as EmbedderUnavailable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]

BATCH: Final = 32  # past this a batch costs as much per text as its texts would one by one
MAX_CHARS: Final = 8192  # 32 characters for each token of a window of 256: no language comes near
REMEMBERED: Final = 4096  # vectors of 1.5 kB and texts of at most MAX_CHARS: some 10 MB, 40 MB at worst


class Embedder:
    """One model in fp32 on torch. Use it from one event loop; `encode` and the counters from anywhere.

    What is embedded one by one are questions, what is encoded in bulk are passages: models that were trained with a
    prompt for each get it.
    """

    def __init__(self, weights: Weights = MINILM) -> None:
        self.identity, self.dimensions = weights.identity, weights.dimensions
        self.window = weights.window  # tokens that the model reads, its two marks included; the rest is cut off
        self._weights = weights
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedder")
        self._waiting: deque[tuple[str, Future[Vectors]]] = deque()
        self._known: OrderedDict[tuple[str, str], Vectors] = OrderedDict()
        self._model: SentenceTransformer | None = None

    async def load(self) -> None:
        """Load the model in the worker thread, once. Raises EmbedderUnavailable."""
        await asyncio.wrap_future(self._worker.submit(self._loaded))

    async def embed(self, texts: Sequence[str], asker: str = "") -> Vectors:
        """Unit vectors of questions, float32 [len(texts), dimensions]; what is beyond the window is ignored.

        They are remembered for the `asker` alone: the time that it takes tells nobody what others have asked.

        Raises EmbedderUnavailable.
        """
        keys = self._asked(texts)
        found = {key: vector for key in keys if (vector := self._known.get((asker, key))) is not None}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if missing:
            found.update(zip(missing, await asyncio.gather(*self._enqueue(missing)), strict=True))
        self._remember({(asker, key): found[key] for key in keys})
        return np.stack([found[key] for key in keys]) if keys else np.empty((0, self.dimensions), np.float32)

    async def embed_anew(self, texts: Sequence[str]) -> Vectors:
        """The same of at least one text, always computed, never remembered: the time that it takes tells no caller what
        another has asked."""
        return np.stack(await asyncio.gather(*self._enqueue(self._asked(texts))))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of passages, for bulk work outside an event loop: blocks until done, remembers nothing."""
        return self._worker.submit(self._vectors, [_readable(self._weights.passage + text) for text in texts]).result()

    def ask(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of questions outside an event loop: blocks until done, remembers nothing."""
        return self._worker.submit(self._vectors, self._asked(texts)).result()

    def tokens(self, text: str) -> int:
        """Tokens of a whole passage, the model's marks included. Linear in the text's length: `fits` is bounded."""
        return len(self._tokenizer.encode(encodable(self._weights.passage + text)))

    def fits(self, text: str) -> bool:
        """Whether the vector stands for the whole question: at most `window` tokens, and none outside the vocabulary.

        Two texts that differ in an emoji, a rare sign or a 100-letter word have the same vector: all become [UNK].
        """
        if len(text) > MAX_CHARS:
            return False
        pieces = self._tokenizer.encode(encodable(self._weights.query + text)).tokens
        return len(pieces) <= self.window and self._weights.unknown not in pieces

    def close(self) -> None:
        """Answer those who still wait, then end the worker thread."""
        self._worker.shutdown()

    def _asked(self, texts: Sequence[str]) -> list[str]:
        return [_readable(self._weights.query + text) for text in texts]

    def _enqueue(self, texts: Sequence[str]) -> list["asyncio.Future[Vectors]"]:
        futures: list[Future[Vectors]] = [Future() for _ in texts]
        self._waiting.extend(zip(texts, futures, strict=True))
        self._worker.submit(self._drain)
        return [asyncio.wrap_future(future) for future in futures]

    def _drain(self) -> None:
        """Answer all who wait, a batch at a time; those who gave up in the meantime are left out."""
        while self._waiting:  # only this thread takes from it
            taken = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._answer([(text, future) for text, future in taken if future.set_running_or_notify_cancel()])

    def _answer(self, batch: Sequence[tuple[str, Future[Vectors]]]) -> None:
        try:
            vectors = self._vectors([text for text, _ in batch])
        except Exception as error:  # it belongs to those who wait, or they would wait for ever
            for _, future in batch:
                future.set_exception(error)
        else:
            for (_, future), vector in zip(batch, vectors, strict=True):
                future.set_result(vector.copy())  # a row that is remembered must not keep its whole batch alive

    def _remember(self, vectors: dict[tuple[str, str], Vectors]) -> None:
        for key, vector in vectors.items():
            self._known[key] = vector
            self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        vectors = self._loaded().encode(
            list(texts), prompt="", batch_size=BATCH, show_progress_bar=False, normalize_embeddings=True
        )
        return np.ascontiguousarray(vectors, np.float32)

    def _loaded(self) -> "SentenceTransformer":
        """The model, for the worker thread only. The first call takes seconds, almost all of them torch's import."""
        if self._model is None:
            folder = self._weights.all_checked()
            os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read at import; nothing may be fetched
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread per model is the point
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            torch.set_num_threads(1)  # two threads on two busy cores were measured to stall for 500 ms a question
            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        return self._model

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return tokenizer(self._weights.checked(TOKENIZER))


def _readable(text: str) -> str:
    """What of a text can reach the window."""
    return encodable(text[:MAX_CHARS])
