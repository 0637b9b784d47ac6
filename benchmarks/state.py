"""What a limit costs: holds and settlements per second and their latency, on SQLite and Redis, in one table.

    python -m benchmarks.state [--redis redis://127.0.0.1:6379/0] [--pairs 2000] [--processes 1 4]

A pair is a hold, judged against four limits (tenant: requests, tokens and dollars; key: tokens), and its settlement
with the journal's row: what the ledger adds to a request. `at once` is how many requests each process works on. The
disk is the measure: `x fsync` is how many writes of 4 KiB, each made durable, take as long as one pair at p50.

Without --redis it starts a server of its own (redis_server.py). Everything is written to a folder that is removed.
Nothing is asserted: it is a measurement, and means something on a machine that does nothing else.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import uvloop

from benchmarks.redis_server import redis_server
from gateway.state import COLUMNS, Amounts, Hold, Limit, State
from gateway.state.open import open_state

TENANT_LIMITS = (Limit("requests", "minute", 10**9), Limit("tokens", "day", 10**12), Limit("usd", "month", 10**15))
KEY_LIMITS = (Limit("tokens", "day", 10**12),)
AMOUNTS: Amounts = {"requests": 1, "tokens": 1500, "usd": 2_000_000}
SPENT: Amounts = {"requests": 1, "tokens": 700, "usd": 1_000_000}
DETAIL = json.dumps({"stages": ["x" * 60] * 12})  # as long as a request's

AT_ONCE = (1, 64)
PAGE = bytes(4096)
FSYNCS = 500
ROW = "{:8} {:>9} {:>8} {:>9} {:>8} {:>8} {:>8}"


def quantile(took: Sequence[float], share: float) -> float:
    """Milliseconds of measured seconds."""
    return sorted(took)[int(len(took) * share)] * 1e3


async def pair(state: State, request_id: str) -> float:
    """Hold, then settle. Seconds it took."""
    began, at = time.perf_counter(), state.clock.now()
    await state.budgets.hold(Hold(request_id, "acme", "k1", "bench", AMOUNTS, TENANT_LIMITS, KEY_LIMITS, at))
    row = dict.fromkeys(COLUMNS) | {"request_id": request_id, "at": at, "tenant": "acme", "key": "k1", "detail": DETAIL}
    await state.budgets.settle(request_id, SPENT, row)
    return time.perf_counter() - began


async def work(url: str, ledger: str, at_once: int, pairs: int) -> None:
    """One process: says `ready`, waits for a line, then says the seconds of each pair as JSON."""
    state, names, took = await open_state(url, ledger), (f"{os.getpid()}-{n}" for n in count()), list[float]()
    await pair(state, next(names))  # connections, prepared statements

    async def worker() -> None:
        for _ in range(pairs // at_once):
            took.append(await pair(state, next(names)))

    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    await state.close()
    print(json.dumps(took), flush=True)


def measured(url: str, folder: Path, processes: int, at_once: int, pairs: int) -> tuple[float, list[float]]:
    """Pairs per second of all processes together, and the seconds of each pair."""
    command = [sys.executable, "-m", "benchmarks.state", "--work", url, f"sqlite:///{folder}/ledger.db"]
    command += ["--at-once", str(at_once), "--pairs", str(pairs // processes)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for process in started:
        assert process.stdout
        process.stdout.readline()
    began = time.perf_counter()
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    took = [seconds for process in started for seconds in json.loads(process.communicate()[0])]
    return len(took) / (time.perf_counter() - began), took


def fsynced(folder: Path) -> list[float]:
    """Seconds that a page took to be durable, each time."""
    took = []
    with (folder / "page").open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            began = time.perf_counter()
            file.write(PAGE)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return took


def compare(urls: Sequence[str], folder: Path, processes: Sequence[int], pairs: int) -> None:
    disk = fsynced(folder)
    fsync = quantile(disk, 0.5)
    print(ROW.format("store", "processes", "at once", "pairs/s", "p50 ms", "p99 ms", "x fsync"))
    print(ROW.format("fsync", 1, 1, f"{1e3 / fsync:,.0f}", f"{fsync:.2f}", f"{quantile(disk, 0.99):.2f}", "1.0"))
    for url in urls:
        for number in processes:
            for at_once in AT_ONCE:
                rate, took = measured(url, folder, number, at_once, pairs)
                p50, p99 = quantile(took, 0.5), quantile(took, 0.99)
                figures = f"{rate:,.0f}", f"{p50:.2f}", f"{p99:.2f}", f"{p50 / fsync:.1f}"
                print(ROW.format(url.partition(":")[0], number, at_once, *figures), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis")
    parser.add_argument("--pairs", type=int, default=2000, help="of all processes together")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)  # one of the processes: URL and ledger
    parser.add_argument("--at-once", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        url, ledger = given.work
        uvloop.run(work(url, ledger, given.at_once, given.pairs))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = f"sqlite:///{folder}/state.db"
        if given.redis:
            compare([file, given.redis], folder, given.processes, given.pairs)
        else:
            with redis_server(folder) as url:
                compare([file, url], folder, given.processes, given.pairs)


if __name__ == "__main__":
    main()
