"""What the gateway costs: the same requests straight to a fast stub and through `tollgate serve`, in one table.

    python -m benchmarks.overhead [--seconds 1.5] [--repetitions 3]

Everything is on: key, plain chat or template, exact token count, cache, retrieval where the case has it, budget hold
and settlement and journal in an SQLite file, trace. The gateway has a core of its own; the stub and the load generator
share another where there are only two. Each repetition starts a fresh gateway and runs every case once, `direct`
first; figures are min/median/max over the repetitions. Nothing is asserted: it is a measurement.
"""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.load import Body, Load, run
from benchmarks.running import Process, gateway, set_up, stub

CONCURRENCY = (1, 16)
TOKENS = 16  # of an answer that is not streamed
STREAMED_TOKENS, GAP_US, STREAMS = 64, 5000, 4  # 800 tokens/s in all: well below what one core forwards

Figures = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Case:
    """One row: `body` makes the next request; `direct` goes to the stub."""

    name: str
    body: Callable[[], Body]
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """One case at one concurrency: what the clients saw, and the CPU seconds of the process that answered them."""

    load: Load
    cpu: float

    def quantile(self, name: str, share: float) -> float:
        """Milliseconds of `latencies`, `firsts` or `ways`."""
        values = sorted(getattr(self.load, name))
        return float(values[int(len(values) * share)]) * 1e3

    @property
    def rate(self) -> float:
        return len(self.load.latencies) / self.load.seconds

    @property
    def cpu_us(self) -> float:
        return self.cpu / len(self.load.latencies) * 1e6


numbers = itertools.count()


def chat(question: str | None = None, tokens: int = TOKENS, **fields: Any) -> Body:
    asked = question or f"What does the KV cache do, and why is this question number {next(numbers)}?"
    said = [{"role": "system", "content": "You are terse."}, {"role": "user", "content": asked}]
    return {"model": "small", "messages": said, "max_completion_tokens": tokens, **fields}


def stream(**fields: Any) -> Body:
    return chat(tokens=STREAMED_TOKENS, stream=True, seed=GAP_US, **fields)


def answer(question: str, **fields: Any) -> Body:
    prompt = {"id": "answer", "variables": {"question": question}}
    return {"prompt": prompt, "max_completion_tokens": TOKENS, **fields}


SKIP = {"cache": "skip"}
BUFFERED = (
    Case("direct", chat, direct=True),
    Case("chat, everything on", chat),
    Case("chat, cache skipped", lambda: chat(gateway=SKIP)),
    Case("chat, exact cache hit", lambda: chat("What does the KV cache do?")),
    Case("template + passages, known question, cache skipped", lambda: answer("What is the KV cache?", gateway=SKIP)),
    Case("template + passages, new question", lambda: answer(f"What is the KV cache, asked {next(numbers)} times?")),
)
STREAMED = (Case("direct", stream, direct=True), Case("chat, everything on", stream))


@dataclass(frozen=True, slots=True)
class Bench:
    """The stub, the folder of the gateway and its key; `seconds` is the length of one measurement."""

    folder: Path
    cores: Sequence[int]
    stub: Process
    key: str
    seconds: float

    def repetition(self, figures: defaultdict[str, Figures]) -> None:
        """One fresh gateway through every case."""
        with gateway(self.folder, self.cores[-1:]) as through:
            figures["start"]["live s"].append(through.waited("/health/live"))
            figures["start"]["ready s"].append(through.waited("/health/ready"))
            figures["start"]["RSS when ready MiB"].append(through.memory("VmRSS"))
            for concurrency in CONCURRENCY:
                self._buffered(through, concurrency, figures)
            self._streamed(through, figures)
            figures["start"]["RSS at most MiB"].append(through.memory("VmHWM"))

    def _buffered(self, through: Process, concurrency: int, figures: defaultdict[str, Figures]) -> None:
        direct, *others = [(case, self._measured(case, through, concurrency)) for case in BUFFERED]
        base = direct[1]
        for case, seen in (direct, *others):
            row, at = figures[case.name], f"c{concurrency}"
            row[f"{at} +p50 ms"].append(seen.quantile("latencies", 0.5) - base.quantile("latencies", 0.5))
            row[f"{at} +p99 ms"].append(seen.quantile("latencies", 0.99) - base.quantile("latencies", 0.99))
            row[f"{at} requests/s x"].append(seen.rate / base.rate)
            row[f"{at} CPU us"].append(seen.cpu_us)
            row[f"{at} requests/s/core"].append(1e6 / seen.cpu_us)

    def _streamed(self, through: Process, figures: defaultdict[str, Figures]) -> None:
        base, seen = (self._measured(case, through, STREAMS) for case in STREAMED)
        row = figures["streamed"]
        for name, values in (("first token", "firsts"), ("each token", "ways")):
            for share in (0.5, 0.99):
                added = seen.quantile(values, share) - base.quantile(values, share)
                row[f"{name} +p{share * 100:g} ms"].append(added)
            row[f"{name} p50 x"].append(seen.quantile(values, 0.5) / base.quantile(values, 0.5))
        row["CPU us/token"].append(seen.cpu_us / STREAMED_TOKENS)

    def _measured(self, case: Case, through: Process, concurrency: int) -> Measured:
        process = self.stub if case.direct else through
        uvloop.run(run(process.port, self.key, case.body, concurrency, self.seconds / 5))  # warms up
        before = process.cpu()
        load = uvloop.run(run(process.port, self.key, case.body, concurrency, self.seconds))
        return Measured(load, process.cpu() - before)


def table(title: str, rows: dict[str, Figures]) -> str:
    """Markdown: one line a row, one column a figure, min/median/max in each cell."""
    columns = list(next(iter(rows.values())))
    lines = [[title, *columns], ["---"] * (len(columns) + 1)]
    lines += [[name, *(spread(row[column]) for column in columns)] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: Sequence[float]) -> str:
    return "/".join(
        f"{v:.0f}" if abs(v) >= 100 else f"{v:.3g}" for v in (min(values), statistics.median(values), max(values))
    )


def measure(seconds: float, repetitions: int) -> dict[str, Figures]:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    figures: defaultdict[str, Figures] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as name, stub(Path(name), cores[len(cores) > 2]) as backend:
        bench = Bench(Path(name), cores, backend, set_up(Path(name), backend.port), seconds)
        for number in range(repetitions):
            print(f"repetition {number + 1} of {repetitions}", file=sys.stderr, flush=True)
            bench.repetition(figures)
    return figures


HEADER = """\
min/median/max of {repetitions} repetitions. `x` is times `direct`, `+` is added to it; c1 and c16 are 1 and 16 clients
that each ask again once answered. CPU is user and system time of the process that answers (for `direct`: of the stub).
Load average of these {cores} cores: {before:.1f} before, {after:.1f} after. Above 2, other work shared the gateway's
core: latencies and rates then say little, CPU time per request still does.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one measurement")
    parser.add_argument("--repetitions", type=int, default=3)
    given = parser.parse_args()
    before = os.getloadavg()[0]
    figures = measure(given.seconds, given.repetitions)
    after = os.getloadavg()[0]
    print(HEADER.format(repetitions=given.repetitions, cores=os.cpu_count(), before=before, after=after))
    print(table(f"buffered, {TOKENS} tokens", {case.name: figures[case.name] for case in BUFFERED}), "\n")
    streams = f"{STREAMS} streams of {STREAMED_TOKENS} tokens, one each {GAP_US / 1000:g} ms"
    print(table(streams, {"chat, everything on": figures["streamed"]}), "\n")
    print(table("start", {"tollgate serve": figures["start"]}))


if __name__ == "__main__":
    main()
