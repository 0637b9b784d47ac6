"""What an embedding takes: one question alone, 32 callers at once, and what sharing the model's calls gives them.

    python -m benchmarks.embedding [--each 8] [--rounds 3]

`alone` asks one question after the other; `shared` is CALLERS at once, whose texts gather while the worker is busy and
share its next call (`retrieval.embed`); `unshared` is as many, with one call of the model for each text. Each text is
asked once, so that no remembered vector answers. All ways take turns; the percentiles are of the requests of all
rounds, in milliseconds from asking to having the vector, and `x alone` compares the medians. Nothing is asserted: on a
busy machine compare the ratios.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice, product
from typing import NamedTuple

import numpy as np
import uvloop

from retrieval.embed import Embedder, Vectors

CALLERS = 32
WORDS = (
    "clean replace order return repair paint store insure rent adjust inspect assemble wash label measure lift "
    "connect protect seal ship test cool balance polish register",
    "filter cover handle battery switch cable hinge motor valve screen belt wheel lamp lock pipe spring sensor panel "
    "brush gasket",
    "pump bicycle dishwasher tractor camera heater printer boat elevator piano toaster scooter drone freezer mower "
    "telescope wheelchair projector fountain drill",
)
ROW = "{:10} {:>8} {:>8} {:>8} {:>8} {:>8}"

Embed = Callable[[str], Awaitable[Vectors]]


class Way(NamedTuple):
    name: str
    callers: int
    embed: Embed


def questions(start: str) -> Iterator[str]:
    """10,000 of about 17 word pieces, no two alike, each beginning with `start`."""
    for verb, part, thing in product(*(words.split() for words in WORDS)):
        yield f"{start} {verb} the {part} of an old {thing} without calling the shop?"


async def asked(way: Way, texts: Sequence[str]) -> tuple[list[float], float]:
    """The milliseconds that each text took, and the seconds for all of them."""
    waits = []

    async def caller(own: Sequence[str]) -> None:
        for text in own:
            began = time.perf_counter()
            await way.embed(text)
            waits.append((time.perf_counter() - began) * 1e3)

    began = time.perf_counter()
    await asyncio.gather(*(caller(texts[number :: way.callers]) for number in range(way.callers)))
    return waits, time.perf_counter() - began


async def compared(ways: Sequence[Way], each: int, rounds: int) -> None:
    texts = questions("How do I")
    waits: dict[str, list[float]] = {way.name: [] for way in ways}
    seconds = dict.fromkeys(waits, 0.0)
    for way in ways:
        await asked(way, list(islice(texts, CALLERS)))  # until the model is loaded and its memory is there
    for _ in range(rounds):
        for way in ways:
            took, whole = await asked(way, list(islice(texts, each * CALLERS if way.callers > 1 else each * 8)))
            waits[way.name] += took
            seconds[way.name] += whole
    print(ROW.format("way", "requests", "p50 ms", "p99 ms", "x alone", "texts/s"))
    base = float(np.median(waits[ways[0].name]))
    for name, took in waits.items():
        p50, p99 = np.percentile(took, [50, 99])
        cells = (f"{p50:.1f}", f"{p99:.1f}", f"{p50 / base:.1f}", f"{len(took) / seconds[name]:.0f}")
        print(ROW.format(name, len(took), *cells))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=8, help="texts of each of the callers in a round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with closing(Embedder()) as embedder, ThreadPoolExecutor(CALLERS) as threads:
        loop = asyncio.get_running_loop()

        async def unshared(text: str) -> Vectors:
            return await loop.run_in_executor(threads, partial(embedder.encode, [text]))

        async def shared(text: str) -> Vectors:
            return await embedder.embed([text])

        ways = [Way("alone", 1, shared), Way("shared", CALLERS, shared), Way("unshared", CALLERS, unshared)]
        await compared(ways, given.each, given.rounds)


if __name__ == "__main__":
    uvloop.run(main())
