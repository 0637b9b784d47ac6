"""A build's work on Ray Data: files are read and texts embedded by pools of actors, on this machine or a cluster.

Files are read where the actors run: on a cluster the folder is one that all machines have under the same path. The
driver alone decides and writes, so that the collection is the same as that of a local build.

Invariants: the driver holds one chunk of texts at a time, and Ray's back-pressure bounds what is read ahead; whatever
fails in Ray (no cluster, an actor that dies again and again, a machine that is gone) is one EngineUnavailable.
"""

import logging
import os
import pickle
import socket
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np

from retrieval.ingest.engine import BATCH
from retrieval.ingest.files import File
from retrieval.ingest.reading import Outcome, Reader
from retrieval.protocols import Embeds
from retrieval.query import Vectors

CHUNK: Final = 50_000  # texts, 50 MB: an hour of one core, against which an actor's ten seconds to load a model are few
FILES: Final = 20_000  # given to Ray at a time
FILES_A_CALL: Final = 64
KNOCK_S: Final = 10.0  # to reach a cluster's machine
# Ray's own are without end. A machine of a cluster may be gone once or twice in a build; what kills the fourth actor in
# turn is the work itself.
AGAIN: Final = {"max_restarts": 3, "max_task_retries": 3}
GAVE_UP: Final = "Ray gave up; what is embedded is kept for the next build"
Batch = Mapping[str, Any]


class EngineUnavailable(Exception):
    """Raised when an engine's library is not installed, and when the engine cannot be reached or gives up."""


class RayEngine:
    """Connects to the cluster that RAY_ADDRESS names, or starts Ray on this machine. `embedder` makes one in an actor.

    Raises EngineUnavailable.
    """

    chunk: Final = CHUNK

    def __init__(self, embedder: Callable[[], Embeds]) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read at import; nothing is reported anywhere
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what ends a build is told, in a line
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise EngineUnavailable("Ray is not installed: pip install 'tollgate[ray]'") from error
        if not ray.is_initialized():
            with _told("Ray cannot be reached: check RAY_ADDRESS, or unset it to start Ray on this machine"):
                _knock(os.environ.get("RAY_ADDRESS", ""))
                ray.init(include_dashboard=False, log_to_driver=False, logging_level="warning")
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True  # the first of two copies is the one that is kept
        context.enable_progress_bars = False
        context.raise_original_map_exception = True  # what fails in an actor is told, not that something did
        warnings.filterwarnings("ignore", "`ray_remote_args`")  # AGAIN has no other way in up to Ray 2.63
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        self._data, self._embedder = ray.data, embedder
        self._pool = ray.data.ActorPoolStrategy(min_size=1, max_size=max(1, int(ray.cluster_resources()["CPU"])))

    def read(self, files: Iterable[File], seen: Collection[str]) -> Iterator[Outcome]:
        known = frozenset(seen)
        ahead = iter(files)
        while rows := [{"file": pickle.dumps(file)} for file in islice(ahead, FILES)]:
            made = self._data.from_items(rows).map_batches(
                _Read, fn_constructor_args=(self._embedder, known), batch_size=FILES_A_CALL, compute=self._pool, **AGAIN
            )
            with _told(GAVE_UP):
                for row in made.iter_rows():
                    yield pickle.loads(row["outcome"])

    def embed(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        if not order:
            return
        made = self._data.from_items([{"at": at, "text": texts[at]} for at in order]).map_batches(
            _Embed, fn_constructor_args=(self._embedder,), batch_size=BATCH, compute=self._pool, **AGAIN
        )
        with _told(GAVE_UP):
            for batch in made.iter_batches(batch_size=None):
                yield batch["at"].tolist(), np.ascontiguousarray(np.stack(batch["vector"]), np.float32)


def _knock(address: str) -> None:
    """Ray itself tries for minutes to reach an address where nothing listens. Raises OSError, ValueError."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.hostname and parts.port:  # others are names, such as "auto"
        socket.create_connection((parts.hostname, parts.port), KNOCK_S).close()


@contextmanager
def _told(words: str) -> Iterator[None]:
    """Ray's errors, of which a task's text is a traceback of another machine, in a line."""
    from ray.exceptions import RayError

    try:
        yield
    except (RayError, OSError, RuntimeError, ValueError) as error:
        cause = getattr(error, "cause", None) or error  # what was raised in an actor
        said = next(iter(str(cause).splitlines()), "")
        raise EngineUnavailable(f"{words} ({type(cause).__name__}: {said})") from error


class _Read:
    """An actor that reads files."""

    def __init__(self, embedder: Callable[[], Embeds], seen: frozenset[str]) -> None:
        made = embedder()
        self._reader, self._seen = Reader(made.tokens, made.window), seen

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        for row in batch["file"]:
            outcomes = self._reader.read(pickle.loads(row), self._seen)
            yield from ({"outcome": [pickle.dumps(outcome)]} for outcome in outcomes)


class _Embed:
    """An actor that embeds texts."""

    def __init__(self, embedder: Callable[[], Embeds]) -> None:
        self._embedder = embedder()

    def __call__(self, batch: Batch) -> Batch:
        return {"at": batch["at"], "vector": self._embedder.encode(batch["text"].tolist())}
