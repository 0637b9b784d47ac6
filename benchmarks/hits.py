"""What a hit of the cache takes, whole: ours beside other semantic caches, on the same questions in the same run.

    python -m benchmarks.hits [--entries 10000] [--lookups 500] [--rounds 5] [--vectors FILE.npz]
                              [--peers DIR] [--redis-search URL]

Ours is the gateway's stage in one process, on an SQLite file: the fingerprint, the exact look-up, the claim of whoever
asks first, the embedding, the nearest of ENTRIES questions of one partition, the judge at its default error rate, the
answer replayed as events. `exact` asks a kept question again (the others have no such tier: they embed); `embedded`
asks it in other words; `remembered` asks that again, when the vector is known. All take turns, a part of the questions
in each round.

A peer is left out that is not in --peers, or that needs a Redis with RediSearch when --redis-search names none
(`benchmarks/peers/caches.py`).

`wrong` counts the lookups that gave no answer, or another question's. The kept questions are embedded first, for
minutes, unless FILE has them. Nothing is asserted: on a busy machine compare the ratios.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import uvloop

from benchmarks.peers.caches import PEERS, Found, kept, reworded, seen
from benchmarks.peers.our_cache import Ours
from benchmarks.similarity import embedded
from gateway.shielded import drained
from gateway.state.open import open_state
from retrieval.embed import Embedder

WARM = 20  # questions that are asked of each before the first round
ROW = "{:24} {:>8} {:>8} {:>8} {:>6}"


class Peer:
    """Another cache, in a process that leaving the stack ends."""

    def __init__(self, name: str, arguments: Sequence[object], stack: ExitStack) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.peers.caches", name, *map(str, arguments)]
        self._process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        stack.callback(self._process.kill)
        self._said("ready")

    def ask(self, numbers: Sequence[int]) -> Found:
        assert self._process.stdin
        print(json.dumps(numbers), file=self._process.stdin, flush=True)
        found: Found = json.loads(self._said("{"))
        return found

    def _said(self, start: str) -> str:
        """Its next line that begins so: libraries print lines of their own."""
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith(start):
                return line
        raise SystemExit(f"{self.name} ended with status {self._process.wait()}: its own words stand above")


async def ours(cache: Ours, entries: int, numbers: Sequence[int]) -> Found:
    same, other = kept(entries), reworded(entries)
    passes = {"exact": same, "embedded": other, "remembered": other}
    return seen({kind: [await cache.look(n, texts[n]) for n in numbers] for kind, texts in passes.items()})


async def compared(cache: Ours, peers: Sequence[Peer], given: argparse.Namespace) -> None:
    numbers = np.random.default_rng(0).permutation(given.entries).tolist()
    warm, numbers = numbers[:WARM], numbers[WARM : WARM + given.lookups]
    report: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    wrong: defaultdict[tuple[str, str], int] = defaultdict(int)
    for some in (warm, *(numbers[number :: given.rounds] for number in range(given.rounds))):
        found = {"tollgate": await ours(cache, given.entries, some)}
        found |= {peer.name: peer.ask(some) for peer in peers}
        for name, kinds in found.items():
            for kind, (took, failed) in kinds.items():
                if some is not warm:
                    report[name, kind] += took
                    wrong[name, kind] += failed
    print(ROW.format("hit", "lookups", "p50 ms", "p99 ms", "wrong"))
    for (name, kind), took in report.items():
        p50, p99 = np.percentile(took, [50, 99])
        print(ROW.format(f"{name} {kind}", len(took), f"{p50:.2f}", f"{p99:.2f}", wrong[name, kind]))


def there(given: argparse.Namespace) -> list[str]:
    """The peers that can be measured."""
    return [
        name
        for name, peer in PEERS.items()
        if given.peers and (given.peers / name).is_dir() and (given.redis_search or not peer.redis_search)
    ]


async def measured(given: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
    texts = kept(given.entries)
    known = embedded(texts, given.vectors)
    np.savez(folder / "vectors.npz", texts=np.array(texts), vectors=np.stack([known[text] for text in texts]))
    extra = ("--redis-search", given.redis_search) if given.redis_search else ()
    peers = [Peer(name, (given.peers, folder, given.entries, *extra), stack) for name in there(given)]
    state = await open_state(f"sqlite:///{folder}/state.db")
    with closing(Embedder()) as embedder:
        cache = Ours(state, embedder)
        await cache.fill(texts, known)
        await compared(cache, peers, given)
        await drained()
        await state.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--lookups", type=int, default=500, help="of each kind, in all rounds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--redis-search", help="the URL of an empty Redis with RediSearch")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        uvloop.run(measured(given, Path(folder), stack))


if __name__ == "__main__":
    main()
