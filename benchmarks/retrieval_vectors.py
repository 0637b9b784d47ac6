"""A million passages: building the index of their vectors, searching it, and a collection that changes meanwhile.

    python -m benchmarks.retrieval_vectors [--passages 1000000] [--questions 500] [--changes 10000]
                                           [--real FILE.npy] [--folder DIR] [--part vectors|collection|both]

The vectors are synthetic: unit mixtures of pairs of real ones, 0.5 to 0.95 of the first. Real ones are float32 [n, 384]
in --real; by default those of the sample documents' sentences. The questions are real ones that were held out: they are
neither stored nor mixed. Texts are 12 words of 20,000, the frequent ones more often (Zipf).

vectors: time, CPU time and memory of building; recall@10 against comparing with all; time of a search, all of it on the
thread that asks, with every row allowed and with a share of them. collection: the same through `Collection`, while
another process adds and removes; then the new version is loaded and swapped in, amid searches. A search that raises, or
finds fewer than 10, has failed.

`cpu` is the thread's own time, which other work on the machine does not stretch. Pin it with `taskset -c 0`. A million
takes 3.5 GB of disk in all; a folder that is given is kept, and filled only once. Nothing is asserted.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import numpy as np

from benchmarks.retrieval_synthetic import STEP, Kept, mixed, real, stored
from retrieval.collection import Collection, Entry, writing
from retrieval.passage import Passage
from retrieval.query import Scope, Vectors
from retrieval.vectors import VectorIndex, build, load
from retrieval.vectors.values import Allowed

EMBEDDER = "benchmark"
TOP, WORDS = 10, 20_000
OF_EACH = 20  # passages of a document


@contextmanager
def timed(what: str) -> Iterator[None]:
    """With CPU time of the process, and the most memory of its own that it had beyond what it has now."""
    before, most, done = anonymous(), [0], Event()

    def watch() -> None:
        while not done.wait(0.05):
            most[0] = max(most[0], anonymous() - before)

    watching = Thread(target=watch)
    watching.start()
    began, cpu = time.perf_counter(), time.process_time()
    try:
        yield
    finally:
        took, spent = time.perf_counter() - began, time.process_time() - cpu
        done.set()
        watching.join()
        print(f"{what}: {took:.1f} s ({spent:.1f} s of CPU), {most[0] / 1e6:.0f} MB of memory", flush=True)


def anonymous() -> int:
    """Bytes of memory that are the process's own: neither files nor shared."""
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("RssAnon:") + 1]) * 1024


def nearest(rows: Kept, questions: Vectors, allowed: Allowed) -> list[set[int]]:
    """Of each question the TOP rows, found by comparing with all."""
    best = [(np.empty(0), np.empty(0, int))] * len(questions)
    for start in range(0, len(rows), STEP):
        some = np.flatnonzero(allowed[start : start + STEP])
        cosines = questions @ rows[start : start + STEP][some].astype(np.float32).T
        for number, (scores, places) in enumerate(best):
            merged, where = np.concatenate([scores, cosines[number]]), np.concatenate([places, start + some])
            kept = np.argsort(-merged)[:TOP]
            best[number] = merged[kept], where[kept]
    return [set(places.tolist()) for _, places in best]


class Searches:
    """What searches took, in seconds, and how many failed."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.spent: list[float] = []
        self.failed: list[str] = []

    def one(self, search: Callable[[], Sequence[int]]) -> set[int]:
        began, cpu = time.perf_counter(), time.thread_time()
        try:
            found = set(search())
        except Exception as error:
            self.failed.append(repr(error))
            return set()
        self.took.append(time.perf_counter() - began)
        self.spent.append(time.thread_time() - cpu)
        if len(found) < TOP:
            self.failed.append(f"{len(found)} found")
        return found

    def __str__(self) -> str:
        def ms(seconds: list[float]) -> str:
            return " ".join(f"p{share} {np.quantile(seconds, share / 100) * 1e3:.2f}" for share in (50, 99))

        return f"{len(self.took)} searches, {len(self.failed)} failed; ms {ms(self.took)}; cpu {ms(self.spent)}"


def vectors(folder: Path, asked: argparse.Namespace, of: Vectors, questions: Vectors) -> None:
    rows = stored(folder, asked.passages, of)
    with timed(f"index of {len(rows)} built"):
        built = build(rows, folder / "index.faiss")
    size = [round(file.stat().st_size / len(rows)) for file in built.files]
    print(f"  {built.kind.value} {dict(built.parameters)}, recall {built.recall:.4f}; bytes a vector {size}")
    with timed("loaded"):
        index = load(built.files[0])
    for share in (1.0, 0.5, 0.1, 0.01, 0.001):
        allowed = np.random.default_rng(1).random(len(rows)) < share
        searched(index, rows, questions, allowed, share)


def searched(index: VectorIndex, rows: Kept, questions: Vectors, allowed: Allowed, share: float) -> None:
    best, searches = nearest(rows, questions, allowed), Searches()
    seen = None if share == 1 else allowed
    for _ in range(2):  # the first finds no page in memory
        searches = Searches()
        found = [searches.one(lambda one=one: index.search(one, TOP, seen)[0].tolist()) for one in questions]  # type: ignore[misc]
    recall = sum(len(a & b) for a, b in zip(best, found, strict=True)) / sum(map(len, best))
    print(f"  {share:.1%} allowed: recall@10 {recall:.4f}, {searches}", flush=True)


def passages(first: int, count: int) -> list[Passage]:
    words = np.minimum(np.random.default_rng(first).zipf(1.2, (count, 12)), WORDS)
    texts = [" ".join(f"w{word}" for word in row) for row in words]
    return [passage(first + number, text) for number, text in enumerate(texts)]


def passage(number: int, text: str) -> Passage:
    document = f"{number // OF_EACH:08d}"
    return Passage(f"{document}#{number}", document, "A", "A > B", text, 0, len(text), (0, len(text)))


def written(folder: Path, rows: Kept | Vectors, first: int, remove: range) -> None:
    """Add `rows` as passages from number `first` on, and remove documents."""
    with writing(folder / "collection", EMBEDDER, rows.shape[1]) as writer:
        for start in range(0, len(rows), 2000):
            some = passages(first + start, min(2000, len(rows) - start))
            writer.add(some, np.asarray(rows[start : start + len(some)], np.float32))
            for document in {one.document for one in some}:
                writer.note(Entry(document, "1"))
        writer.remove(f"{number:08d}" for number in remove)
        writer.commit({})


def collection(folder: Path, asked: argparse.Namespace, of: Vectors, questions: Vectors) -> None:
    if not (folder / "collection").exists():
        with timed(f"collection of {asked.passages} built"):
            written(folder, stored(folder, asked.passages, of), 0, range(0))
    with timed("collection loaded, every byte of it checked"):
        current = Collection.load(folder / "collection", EMBEDDER)
    print(f"  {len(current)} passages; alone: {while_(current, questions, lambda: False)}", flush=True)
    command = [sys.executable, "-m", "benchmarks.retrieval_vectors", *sys.argv[1:], "--change", str(folder)]
    with timed(f"{asked.changes} added and as many removed"), subprocess.Popen(command) as other:
        print(f"  meanwhile: {while_(current, questions, lambda: other.poll() is None)}")
    with ThreadPoolExecutor(1) as thread:
        loading = thread.submit(Collection.load, folder / "collection", EMBEDDER)
        print(f"  while it is loaded: {while_(current, questions, loading.running)}")
    new = loading.result()
    print(f"  afterwards, {len(new)} passages: {while_(new, questions, lambda: False)}")


def while_(current: Collection, questions: Vectors, going: Callable[[], bool]) -> Searches:
    """At least once for each question."""
    searches = Searches()
    while len(searches.took) < len(questions) or going():
        one = questions[len(searches.took) % len(questions)]
        searches.one(lambda one=one: current.dense(one, TOP, Scope()).rows.tolist())  # type: ignore[misc]
    return searches


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, count in (("passages", 1_000_000), ("questions", 500), ("changes", 10_000)):
        parser.add_argument(f"--{name}", type=int, default=count)
    for name in ("real", "folder"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--part", choices=("vectors", "collection", "both"), default="both")
    parser.add_argument("--change", type=Path, help=argparse.SUPPRESS)  # the folder of the measuring process
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    everything = real(asked.real)
    of, questions = everything[asked.questions :], everything[: asked.questions]
    if asked.change:
        written(asked.change, mixed(of, asked.changes, 1), asked.passages, range(asked.changes // OF_EACH))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if asked.part != "collection":
            vectors(folder, asked, of, questions)
        if asked.part != "vectors":
            collection(folder, asked, of, questions)


if __name__ == "__main__":
    main()
