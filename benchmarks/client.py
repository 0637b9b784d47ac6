"""What the gateway's own HTTP client costs, beside httpx2 doing the same work on the same stub in the same run.

    python -m benchmarks.client [--rounds 7] [--seconds 0.5]

Both post the same body and parse the same JSON or, chunk by chunk, the same stream with the gateway's own reader. CPU
is the time of this process, pinned to a core of its own: the client's, the event loop's (uvloop) and the system's. The
two take turns. `a chunk` is what one more chunk of a stream adds: in a burst several arrive at once, paced each comes
alone, as from an engine. Printed are the medians and how many times as much httpx2 takes; nothing is asserted.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Protocol

import httpx2
import orjson
import uvloop

from benchmarks.running import stub
from serving.backend import STREAMED, Backend
from serving.chunks import Reader
from serving.decode import Decoder

PATH = "/v1/chat/completions"
HEADERS = {"x-request-id": "0" * 32, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
MESSAGES = [{"role": "user", "content": "What does the KV cache do? " * 60}]  # 1.6 KB
CHUNKS = 64
GAP_US = 2000
ROW = "{:30} {:>8} {:>8} {:>6}"

Job = Callable[[], Awaitable[object]]


class Way(Protocol):
    """One client: `ask` reads a JSON answer, `stream` a streamed one to its end."""

    async def ask(self, body: dict[str, Any]) -> object: ...
    async def stream(self, body: dict[str, Any]) -> object: ...
    async def aclose(self) -> None: ...


class Own:
    def __init__(self, url: str) -> None:
        self._backend = Backend("stub", url, api_key="key")

    async def ask(self, body: dict[str, Any]) -> object:
        return await self._backend.ask(PATH, body, HEADERS)

    async def stream(self, body: dict[str, Any]) -> None:
        async with aclosing(self._backend.stream(body, HEADERS)) as events:
            async for _ in events:
                pass

    async def aclose(self) -> None:
        await self._backend.aclose()


class Httpx2:
    def __init__(self, url: str) -> None:
        limits = httpx2.Limits(max_connections=256, max_keepalive_connections=256)
        headers = {"authorization": "Bearer key", "accept-encoding": "identity", "content-type": "application/json"}
        self._url = httpx2.URL(f"{url}{PATH}")
        self._client = httpx2.AsyncClient(headers=headers, limits=limits, timeout=60, trust_env=False)

    async def ask(self, body: dict[str, Any]) -> object:
        answer = await self._client.post(self._url, content=orjson.dumps(body), headers=HEADERS)
        return orjson.loads(answer.content)

    async def stream(self, body: dict[str, Any]) -> None:
        reader, decoder, content = Reader("stub"), Decoder(), orjson.dumps({**body, **STREAMED})
        async with self._client.stream("POST", self._url, content=content, headers=HEADERS) as answer:
            async for piece in answer.aiter_raw():
                for _ in reader.read(decoder.feed(piece)):
                    pass
        reader.end()

    async def aclose(self) -> None:
        await self._client.aclose()


def body(tokens: int, gap_us: int = 0) -> dict[str, Any]:
    """The stub says so many tokens, `seed` microseconds apart."""
    return {"model": "tiny", "messages": MESSAGES, "max_completion_tokens": tokens, "seed": gap_us}


async def cpu_us(job: Job, clients: int, seconds: float) -> float:
    """CPU microseconds of one `job` while `clients` do it again and again for about `seconds`."""
    done = 0
    end = time.perf_counter() + seconds

    async def client() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await job()
            done += 1

    before = time.process_time()
    await asyncio.gather(*(client() for _ in range(clients)))
    return (time.process_time() - before) / done * 1e6


def jobs(way: Way) -> dict[str, tuple[Job, int]]:
    """What is measured, and with how many clients."""
    return {
        "JSON, 1 client": (lambda: way.ask(body(140)), 1),
        "JSON, 16 clients": (lambda: way.ask(body(140)), 16),
        "stream of 1 chunk": (lambda: way.stream(body(1)), 16),
        "burst": (lambda: way.stream(body(1 + CHUNKS)), 16),
        "paced": (lambda: way.stream(body(1 + CHUNKS, GAP_US)), 64),
    }


async def measure(url: str, rounds: int, seconds: float) -> dict[str, list[float]]:
    """CPU us of each job, own and httpx2's."""
    ways: list[Way] = [Own(url), Httpx2(url)]
    found: dict[str, list[float]] = {}
    for name, mine in jobs(ways[0]).items():
        both = [mine, jobs(ways[1])[name]]
        taken: list[list[float]] = [[], []]
        for job, clients in both:
            await asyncio.gather(*(job() for _ in range(clients)))  # warms up
        for _ in range(rounds):
            for (job, clients), times in zip(both, taken, strict=True):
                times.append(await cpu_us(job, clients, seconds))
        found[name] = [statistics.median(times) for times in taken]
    await asyncio.gather(*(way.aclose() for way in ways))
    return found


def table(found: dict[str, list[float]]) -> str:
    request = found["stream of 1 chunk"]
    rows = {f"{name}, a request": found[name] for name in ("JSON, 1 client", "JSON, 16 clients", "stream of 1 chunk")}
    for name in ("burst", "paced"):
        rows[f"{name}, a chunk"] = [(all_ - one) / CHUNKS for all_, one in zip(found[name], request, strict=True)]
    lines = [ROW.format("CPU us", "own", "httpx2", "x")]
    lines += [ROW.format(name, f"{own:.1f}", f"{its:.1f}", f"{its / own:.1f}") for name, (own, its) in rows.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5)
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, stub(Path(folder), cores[0]) as backend:
        os.sched_setaffinity(0, cores[-1:])
        print(table(uvloop.run(measure(f"http://127.0.0.1:{backend.port}", given.rounds, given.seconds))))


if __name__ == "__main__":
    main()
