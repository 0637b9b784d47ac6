"""What looking a similar question up costs in a large partition: time, memory, recall; alone, and amid changes.

    python -m benchmarks.neighbours [--entries 1000000] [--lookups 2000] [--changes 10000] [--rate 500] [--core 0]
                                    [--redis URL] [--folder DIR]

Synthetic questions: clusters of 20 whose cosines to their centre are 0.84 to 0.99, as vectors of 384 floats, in an
SQLite file (or a Redis) as a gateway would have put them there. A lookup is what the semantic tier does of it: the five
nearest questions of a new one, and the three nearest of the answers. The new one lies at a cosine of 0.86 to 0.999 from
a kept one. `cpu` is what the process spends meanwhile, the thread that merges included: alone it says more than the
time on a machine with other work. Recall: how often the nearest of all, found by comparing with every vector, is the
first that is given.

The changes are another gateway's, a process of its own: `rate` puts and as many removals a second. --core pins this
process to one core, the thread that merges included. The store takes some 4 KB an entry, and is removed at the end;
in --folder it is kept, and filled only once. Nothing is asserted.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.neighbours import Neighbours
from gateway.state import Entry, State
from gateway.state.open import open_state

Rows = NDArray[np.float32]

D, OF_EACH = 384, 20
BODY = b"x" * 800
READ = 3  # of the five nearest
AT_ONCE = 64  # puts on their way, while the store is filled
NEAR = 0.85


def unit(rows: Rows) -> Rows:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


class Questions:
    """`count` vectors, made again whenever they are asked for: of each cluster one, then the next of each."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._centres = unit(np.random.default_rng(0).standard_normal((-(-count // OF_EACH), D), dtype=np.float32))

    def rounds(self) -> Iterator[tuple[int, Rows]]:
        """The number of the first, and the vectors."""
        size = len(self._centres)
        for number, start in enumerate(range(0, self.count, size), 1):
            yield start, noisy(self._centres, 0.1, 0.65, number)[: self.count - start]

    def new(self, count: int, seed: int) -> Rows:
        """Vectors beside kept ones."""
        chosen = np.random.default_rng(seed).choice(len(self._centres), count)
        kept = noisy(self._centres, 0.1, 0.65, 1)[chosen]
        return noisy(kept, 0.05, 0.6, seed)


def noisy(rows: Rows, least: float, most: float, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    added = unit(random.standard_normal(rows.shape, dtype=np.float32))
    added *= random.uniform(least, most, (len(rows), 1)).astype(np.float32)
    return unit(rows + added)


@dataclass(slots=True)
class Lookups:
    """What lookups took, in seconds, what the process spent on them, and what they found."""

    took: list[float] = field(default_factory=list)
    searched: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    first: list[tuple[str, float]] = field(default_factory=list)

    async def one(self, state: State, view: Neighbours, vector: Rows) -> None:
        began, cpu = time.perf_counter(), time.process_time()
        found = await view.nearest("p", vector, began_at := state.clock.now())
        self.searched.append(time.perf_counter() - began)
        for key, _ in found[:READ]:
            await state.answers.get(key, began_at)
        self.took.append(time.perf_counter() - began)
        self.spent.append(time.process_time() - cpu)
        self.first.append(found[0] if found else ("", 0.0))

    def __str__(self) -> str:
        def ms(took: list[float]) -> str:
            return "  ".join(f"p{share:g} {np.quantile(took, share / 100) * 1e3:.2f}" for share in (50, 99, 99.9))

        return f"lookup ms {ms(self.took)}   nearest alone {ms(self.searched)}   cpu {ms(self.spent)}"


async def fill(state: State, questions: Questions) -> None:
    began, now = time.perf_counter(), state.clock.now()
    for start, rows in questions.rounds():
        for piece in range(0, len(rows), AT_ONCE):
            some = enumerate(rows[piece : piece + AT_ONCE], start + piece)
            await asyncio.gather(*(state.answers.put(entry(number, row, now)) for number, row in some))
    each = (time.perf_counter() - began) / questions.count
    print(f"filled: {questions.count} entries, {each * 1e6:.0f} us a put, {AT_ONCE} at once", flush=True)


def entry(number: int, vector: Rows, now: float) -> Entry:
    key = f"{number:064x}"
    return Entry(key, "p", BODY, now, now + 86_400, vector.tobytes(), ("tenant:acme",), "What is a token?", 300)


async def loaded(state: State, view: Neighbours, questions: Questions) -> None:
    """From the first lookup until all is there and nothing is left to merge."""
    before, began, cpu = rss(), time.perf_counter(), time.process_time()
    vector, first = questions.new(1, 7)[0], 0.0
    while not _settled(view, questions.count):
        asked = time.perf_counter()
        await view.nearest("p", vector, state.clock.now())
        first = first or time.perf_counter() - asked
        await asyncio.sleep(0.02)
    took, spent = time.perf_counter() - began, time.process_time() - cpu
    held = (rss() - before) / questions.count
    print(
        f"view: {took:.0f} s ({spent:.0f} s of CPU), its first lookup {first * 1e3:.0f} ms, {held:.0f} bytes an entry"
    )


def _settled(view: Neighbours, size: int) -> bool:
    held = view._views.get("p")
    return held is not None and held.part.size >= size and held.part.due() is None


async def quiet(state: State, view: Neighbours, queries: Rows) -> Lookups:
    lookups = Lookups()
    for vector in queries:
        await lookups.one(state, view, vector)
    print(f"alone: {lookups}", flush=True)
    return lookups


async def busy(state: State, view: Neighbours, queries: Rows, command: list[str]) -> None:
    """Another gateway puts, and a second later removes, while this one looks up."""
    lookups = Lookups()
    other = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert other.stdout
    await other.stdout.readline()  # it begins
    work = asyncio.create_task(other.stdout.readline())
    while not work.done():
        await lookups.one(state, view, queries[len(lookups.took) % len(queries)])
    await other.wait()
    print(f"amid changes: {lookups}\n  {work.result().decode().strip()}; {len(lookups.took)} lookups", flush=True)


async def change(state: State, questions: Questions, changes: int, rate: int) -> None:
    rows = questions.new(changes, 11)
    print("begins", flush=True)
    began = time.perf_counter()
    for number in range(changes):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        new = entry(questions.count + number, rows[number], state.clock.now())
        await state.answers.put(new)
        await state.answers.remove(f"{questions.count + max(0, number - rate):064x}")
    took = time.perf_counter() - began
    print(f"{changes} puts and as many removals in {took:.1f} s", flush=True)


def recall(questions: Questions, queries: Rows, lookups: Lookups) -> None:
    """Against all vectors, one by one."""
    best, score = np.zeros(len(queries), int), np.full(len(queries), -1.0)
    for start, rows in questions.rounds():
        cosines = rows @ queries.T
        top = cosines.argmax(0)
        better = cosines[top, range(len(queries))] > score
        best[better], score[better] = start + top[better], cosines[top, range(len(queries))][better]
    near = score >= NEAR
    hits = sum(int(key, 16) == best[n] for n, (key, _) in enumerate(lookups.first) if near[n])
    wrong = max(abs(found - score[n]) for n, (key, found) in enumerate(lookups.first) if int(key, 16) == best[n])
    print(f"recall at cosine >= {NEAR}: {hits / near.sum():.4f} ({near.sum()} queries); cosine off by {wrong:.0e}")


def rss() -> int:
    """Bytes of memory that are the process's own."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024


@asynccontextmanager
async def opened(asked: argparse.Namespace, folder: str, name: str) -> AsyncIterator[State]:
    url = asked.redis or f"sqlite:///{folder}/state.db"
    state = await open_state(url, f"sqlite:///{folder}/{name}.db", max_entries=2 * asked.entries)
    try:
        yield state
    finally:
        await state.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, count in (("entries", 1_000_000), ("lookups", 2_000), ("changes", 10_000), ("rate", 500)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--core", type=int)
    parser.add_argument("--redis")
    parser.add_argument("--folder")
    parser.add_argument("--change", help=argparse.SUPPRESS)  # the folder of the measuring process, for the other one
    return parser.parse_args()


async def measure(asked: argparse.Namespace, questions: Questions, folder: str) -> None:
    queries = questions.new(asked.lookups, 5)
    async with opened(asked, folder, "one") as state:
        if await state.answers.count() < questions.count:
            await fill(state, questions)
        view = Neighbours(state.answers, 10, 2 * asked.entries)
        await loaded(state, view, questions)
        found = await quiet(state, view, queries)
        recall(questions, queries, found)
        command = [sys.executable, "-m", "benchmarks.neighbours", *sys.argv[1:], "--change", folder]
        await busy(state, view, queries, command)
        await quiet(state, view, queries)


async def main() -> None:
    asked = arguments()
    questions = Questions(asked.entries)
    if asked.change:
        async with opened(asked, asked.change, "two") as state:
            await change(state, questions, asked.changes, asked.rate)
        return
    if asked.core is not None:
        os.sched_setaffinity(0, {asked.core})
    with tempfile.TemporaryDirectory() as folder:
        await measure(asked, questions, asked.folder or folder)


if __name__ == "__main__":
    asyncio.run(main())
