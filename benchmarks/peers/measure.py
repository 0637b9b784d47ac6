"""What is measured of one gateway: a load on it, and what its processes and its core did meanwhile.

A closed load says what a request costs; an open one, far below what the gateway can do, what a request waits. Streams
are paced: a gateway that is behind reads several tokens at once, so that a burst would flatter it. All times in
microseconds. Knows no table.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from math import nan
from pathlib import Path
from typing import Any

from benchmarks.peers.backend import answered
from benchmarks.peers.preferred import preferred
from benchmarks.peers.recipe import Recipe
from benchmarks.running import TICKS, Process

TOKENS = 64  # of each answer
MARK = "@" * 20  # becomes the request's number, see loadgen.c: no two requests are equal
LOG = "Pump 4 was stopped at noon because its bearing ran hot; the seal was changed and the oil drained. "
SYSTEM = f"You are a terse assistant. This is the maintenance log of the plant. {LOG * 18}"  # 1.8 kB in all
QUESTION = f"Which actions of report {MARK} are still open?"  # short: what is longer than 256 tokens is not embedded


@dataclass(frozen=True, slots=True)
class Measure:
    """One load: `clients` at once; `low` at the gateway's own low rate; `gap` between the tokens of a stream."""

    name: str
    clients: int
    gap: int = 0
    low: bool = False

    @property
    def stream(self) -> bool:
        return self.gap > 0


WARM_UP = Measure("warm-up", 8)
CLOSED = (Measure("c1", 1), Measure("c16", 16), Measure("c64", 64))
PACED = Measure("paced", 64, gap=2000)  # 64 streams of 500 tokens a second: 32,000 a second in all
LOW, LOW_STREAMS = Measure("low", 16, low=True), Measure("low streams", 32, gap=5000, low=True)
MEASURES = (*CLOSED, PACED, LOW, LOW_STREAMS)


@dataclass(frozen=True, slots=True)
class Load:
    """What the load generator saw (loadgen.c); nan where there was nothing to see."""

    sent: int
    failed: int
    broken: int
    unfinished: int
    requests: float
    tokens: int
    token_rate: float
    latency_p50: float = nan
    latency_p99: float = nan
    first_p50: float = nan
    first_p99: float = nan
    way_p50: float = nan
    way_p99: float = nan


@dataclass(frozen=True, slots=True)
class Seen:
    """A load on one gateway: its CPU seconds, others' share of its core, and chats that reached the backend."""

    load: Load
    cpu: float
    others: float
    reached: int

    @property
    def faults(self) -> Iterator[str]:
        """Why these figures are not what they seem, in words."""
        load = self.load
        for count, what in (
            (load.failed, "were not answered with 200"),
            (load.broken, "were cut off"),
            (load.unfinished, "did not end in time"),
            (load.sent - self.reached, "did not reach the backend"),
        ):
            if count:
                yield f"{count} of {load.sent} {what}"


@dataclass(frozen=True, slots=True)
class Target:
    """A started gateway (or the stub itself) and all that it takes to measure it on `core`."""

    recipe: Recipe
    process: Process
    core: int
    stub: Process
    program: Path  # the load generator
    folder: Path

    def seen(self, measure: Measure, seconds: float) -> Seen:
        """Raises CalledProcessError when the gateway cannot be connected to."""
        command = self._command(measure, seconds)
        reached, cpu, core = answered(self.stub), self.process.cpu(), _core(self.core)
        with preferred((self.process, self.stub)) if measure.low else nullcontext():
            output = subprocess.run(command, check=True, capture_output=True).stdout
        cpu = self.process.cpu() - cpu
        busy, passed = (after - before for after, before in zip(_core(self.core), core, strict=True))
        return Seen(parse(output), cpu, max(0.0, (busy - cpu) / passed), answered(self.stub) - reached)

    def _command(self, measure: Measure, seconds: float) -> Sequence[str]:
        body = self.folder / "body.json"
        body.write_text(json.dumps(request(self.recipe, measure)))
        rate = self.recipe.streams if measure.stream else self.recipe.rate
        headers = (part for name, value in self.recipe.headers.items() for part in ("-H", f"{name}: {value}"))
        load = ("-c", str(measure.clients), "-d", str(seconds), *(("-r", str(rate)) if measure.low else ()))
        return (str(self.program), "-p", str(self.process.port), "-b", str(body), *headers, *load)


def request(recipe: Recipe, measure: Measure) -> dict[str, Any]:
    said = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    streamed = {"stream": True, "seed": measure.gap} if measure.stream else {}
    return {"model": "tiny", "messages": said, "max_completion_tokens": TOKENS, **streamed, **recipe.fields}


def parse(output: bytes) -> Load:
    found = json.loads(output)
    return Load(**{field.name: found[field.name] for field in fields(Load) if field.name in found})


def _core(core: int) -> tuple[float, float]:
    """Seconds for which a core was busy (or taken from this machine), and seconds that passed."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, idle, waiting, *others = map(int, line.split()[1:9])
    busy = user + nice + system + sum(others)
    return busy / TICKS, (busy + idle + waiting) / TICKS
