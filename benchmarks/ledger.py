"""What the ledger adds to a request: the same one through gateways with it and without it, on SQLite and Redis.

    python -m benchmarks.ledger [--seconds 1] [--rounds 5] [--workers 1 4] [--clients 1 16] [--redis URL]

Under limits the request's hold is judged against requests a minute, tokens a day and dollars a month; under `no limits`
it is made and settled all the same. `rows` is a gateway that only writes each request's journal row, durably;
`nothing` writes none (bare/sitecustomize.py). The added milliseconds are to `nothing`. All gateways run at once on a
fast stub and are asked in turn, `rounds` times, so that a busy machine slows all of them alike. Nothing is cached;
nothing is asserted: it is a measurement, and means something on a machine that does nothing else.
"""

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks.load import Body, run
from benchmarks.overhead import SKIP, chat
from benchmarks.redis_server import redis_server
from benchmarks.running import LIMITS, ROOT, Process, gateway, set_up, stub, tollgate

IDLE = 0.05  # CPU seconds in a second: less than any start uses
BARE = Path(__file__).with_name("bare")
ROW = "{:6} {:>7} {:>7} {:9} {:>8} {:>8} {:>8} {:>8} {:>10} {:>7}"
HEAD = "store", "workers", "clients", "ledger", "p50 ms", "p99 ms", "+p50 ms", "+p99 ms", "requests/s", "CPU us"


class Way(NamedTuple):
    """One way to answer the request: a gateway, and the key that it is asked with."""

    name: str
    through: Process
    key: str


class Seen(NamedTuple):
    """One way's answers, of all rounds: seconds of each, seconds and CPU seconds of all."""

    latencies: tuple[float, ...] = ()
    seconds: float = 0.0
    cpu: float = 0.0

    def quantile(self, share: float) -> float:
        """Milliseconds."""
        return sorted(self.latencies)[int(len(self.latencies) * share)] * 1e3


def uncached() -> Body:
    return chat(gateway=SKIP)


@contextmanager
def ways(folder: Path, state: str, workers: int, cores: Sequence[int]) -> Iterator[list[Way]]:
    """The gateways, ready; one worker has the last core to itself, several have all."""
    with ExitStack() as stack:
        backend = stack.enter_context(stub(folder, cores[len(cores) > 2]))
        limited, free = set_up(folder, backend.port, state), free_key(folder)

        def started(**extra: str) -> Process:
            """One after the other: every worker loads a model."""
            process = gateway(folder, cores[-1:] if workers == 1 else cores, workers, extra)
            stack.enter_context(process).waited("/health/ready")
            return process

        nothing, rows = (started(PYTHONPATH=f"{BARE}{os.pathsep}{ROOT}", BARE=left) for left in ("nothing", "rows"))
        whole = started()
        idle([nothing, rows, whole])
        yield [
            Way("nothing", nothing, limited),
            Way("rows", rows, limited),
            Way("no limits", whole, free),
            Way(f"{len(LIMITS)} limits", whole, limited),
        ]


def idle(processes: Sequence[Process]) -> None:
    """Wait until none still starts a worker."""
    before, now = 0.0, sum(process.cpu() for process in processes)
    while now - before > IDLE:
        time.sleep(1)
        before, now = now, sum(process.cpu() for process in processes)


def free_key(folder: Path) -> str:
    """A key of a tenant without limits, which `set_up` does not make."""
    tollgate(folder, "tenants", "create", "free")
    return str(json.loads(tollgate(folder, "keys", "create", "--tenant", "free", "--json"))[0]["key"])


def asked(way: Way, clients: int, seconds: float, before: Seen) -> Seen:
    """What was seen before, and one more round."""
    uvloop.run(run(way.through.port, way.key, uncached, clients, seconds / 5))  # warms up
    cpu = way.through.cpu()
    load = uvloop.run(run(way.through.port, way.key, uncached, clients, seconds))
    return Seen(
        (*before.latencies, *load.latencies), before.seconds + load.seconds, before.cpu + way.through.cpu() - cpu
    )


def compare(found: Sequence[Way], clients: int, seconds: float, rounds: int) -> Iterator[tuple[str, ...]]:
    """One row of figures a way."""
    seen = dict.fromkeys(found, Seen())
    for _ in range(rounds):
        for way in found:
            seen[way] = asked(way, clients, seconds, seen[way])
    base = seen[found[0]]
    for way, its in seen.items():
        requests, p50, p99 = len(its.latencies), its.quantile(0.5), its.quantile(0.99)
        added = f"{p50 - base.quantile(0.5):.3f}", f"{p99 - base.quantile(0.99):.3f}"
        rates = f"{requests / its.seconds:,.0f}", f"{its.cpu / requests * 1e6:.0f}"
        yield way.name, f"{p50:.3f}", f"{p99:.3f}", *added, *rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--redis", help="its URL; without it, a server of our own")
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    print(ROW.format(*HEAD))
    with tempfile.TemporaryDirectory() as name, redis_at(given.redis, Path(name)) as redis:
        os.sched_setaffinity(0, cores[:1])
        for state, workers in itertools.product(("sqlite:///state.db", redis), given.workers):
            folder = Path(name) / f"{state.partition(':')[0]}-{workers}"
            folder.mkdir()
            with ways(folder, state, workers, cores) as found:
                for clients in given.clients:
                    for row in compare(found, clients, given.seconds, given.rounds):
                        print(ROW.format(state.partition(":")[0], workers, clients, *row), flush=True)


def redis_at(url: str | None, folder: Path) -> AbstractContextManager[str]:
    return nullcontext(url) if url else redis_server(folder)


if __name__ == "__main__":
    main()
