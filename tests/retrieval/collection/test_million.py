"""A million passages of made-up words and vectors: memory is bounded, and ten thousand come and go while others search.

It takes some 3 GB of disk, and a quarter of an hour on two cores that have nothing else to do.
"""

import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from retrieval.collection import Collection, Entry, Manifest, layout, writing
from retrieval.passage import Passage
from retrieval.query import Scope, Vectors
from tests.retrieval.collection.made import EMBEDDER

ROOT = Path(__file__).parents[3]
MILLION = 1_000_000
SOME = 10_000
DIMENSIONS = 384  # as all-MiniLM-L6-v2 has
OF_A_DOCUMENT = 10
BATCH = 5_000
TEAMS = 7
BUILD = """
import sys
from pathlib import Path
from tests.retrieval.collection import test_million as million

million.add(Path(sys.argv[1]), 0, million.MILLION)
print(million.peak_mib())
"""


def peak_mib() -> int:
    """The most memory that this process ever had, shared files among it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def own_mib() -> int:
    """The memory of this process alone: mapped files, which the system takes back, are not in it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon"))) >> 10


def passage(number: int, words: str) -> Passage:
    document, place = divmod(number, OF_A_DOCUMENT)
    access = (f"team{document % TEAMS}",) if document % 3 == 0 else ()
    start = place * 400
    return Passage(
        f"d{document}#{place}", f"d{document}", "Title", "Title > Part", words, start, start + 399, (0, 4000), access
    )


def batches(first: int, count: int) -> Iterator[tuple[list[Passage], Vectors]]:
    """Texts of 60 words that are as common as words are (Zipf), and vectors in clusters, as those of texts are."""
    centres = np.random.default_rng(0).standard_normal((1000, DIMENSIONS), np.float32)
    for start in range(first, first + count, BATCH):
        random = np.random.default_rng(start + 1)
        words = np.minimum(random.zipf(1.2, (BATCH, 60)), 50_000)
        texts = [f"u{start + i} " + " ".join(f"w{word}" for word in words[i]) for i in range(BATCH)]
        near = centres[random.integers(0, 1000, BATCH)] + 0.7 * random.standard_normal((BATCH, DIMENSIONS), np.float32)
        vectors = near / np.linalg.norm(near, axis=1, keepdims=True)
        yield [passage(start + i, text) for i, text in enumerate(texts)], vectors


def add(path: Path, first: int, count: int, remove: range = range(0)) -> Manifest:
    with writing(path, EMBEDDER, DIMENSIONS) as writer:
        writer.remove(f"d{document}" for document in remove)
        for passages, vectors in batches(first, count):
            for document in dict.fromkeys(passage.document for passage in passages):
                writer.note(Entry(document, "1"))
            writer.add(passages, vectors)
        return writer.commit({})


class Searcher(threading.Thread):
    """Searches as some team until it is told to stop, a new version as soon as it is there."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.stopped = threading.Event()
        self.took: list[float] = []
        self.versions: set[str] = set()
        self.failure: BaseException | None = None
        self._path = path

    def run(self) -> None:
        collection = Collection.load(self._path, EMBEDDER)
        asked = [
            (text, vector)
            for texts, vectors in batches(MILLION * 2, 500)
            for text, vector in zip(texts, vectors, strict=True)
        ]
        try:
            for number in range(sys.maxsize):
                if self.stopped.is_set():
                    return
                if layout.current(self._path) != collection.version:
                    collection = Collection.load(self._path, EMBEDDER)
                self.versions.add(collection.version)
                self._search(collection, *asked[number % len(asked)])
        except BaseException as error:
            self.failure = error
            raise

    def _search(self, collection: Collection, like: Passage, vector: Vectors) -> None:
        scope, begun = Scope(frozenset({"team1", "team2"})), time.perf_counter()
        dense = collection.dense(vector, 100, scope)
        self.took.append(time.perf_counter() - begun)
        words = collection.lexical(like.text, 100, scope)
        assert len(dense.rows) == len(words.rows) == 100
        found = collection.passages([*dense.rows.tolist(), *words.rows.tolist()])
        assert {label for passage in found for label in passage.access} <= scope.access


@pytest.mark.prove
@pytest.mark.timeout(7200)
def test_a_million_passages_are_served_while_ten_thousand_come_and_go(tmp_path: Path) -> None:
    begun = time.monotonic()
    command = [sys.executable, "-c", BUILD, str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    print(f"built in {time.monotonic() - begun:.0f} s, {built.stdout.strip()} MiB at most")
    assert int(built.stdout) < 2048  # a mapped vector file of 0.8 GB among it
    before, begun = own_mib(), time.monotonic()
    collection = Collection.load(tmp_path, EMBEDDER)
    print(
        f"loaded in {time.monotonic() - begun:.1f} s, {own_mib() - before} MiB of its own, {collection.manifest.parts}"
    )
    assert own_mib() - before < 600  # codes of vectors by which FAISS searches; of texts and words nothing
    gone = SOME // OF_A_DOCUMENT
    searcher = Searcher(tmp_path)
    searcher.start()
    for number in range(3):
        first = MILLION + number * SOME
        begun = time.monotonic()
        manifest = add(tmp_path, first, SOME, remove=range(number * gone, number * gone + gone))
        print(f"{SOME} added and removed in {time.monotonic() - begun:.1f} s")
        assert manifest.passages == MILLION
    searcher.stopped.set()
    searcher.join(600)
    print(f"{len(searcher.took)} searches, dense p50 {np.median(searcher.took) * 1000:.1f} ms meanwhile")
    assert (searcher.failure, searcher.is_alive()) == (None, False)
    assert len(searcher.versions) >= 2
