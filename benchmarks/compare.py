"""Tollgate beside LiteLLM, Portkey, vllm-router and sglang-router: on one stub and one core, in one run.

    python -m benchmarks.compare --install [--peers DIR]      once: from PyPI and npm, some 1 GB
    python -m benchmarks.compare [--only NAME...] [--rounds 3] [--seconds 2] [--quick] [--peers DIR]

Each round starts every gateway afresh, all on the last core, and puts each load on each of them in turn, so that a
busy machine slows all alike; figures are min/median/max of the rounds. The stub and the load generator have another
core. Nothing is asserted: it is a measurement, and means something on a machine that does nothing else. Of a busy one,
compare the CPU times: they hardly depend on what else runs. peers/ has who is asked (others.py, ours.py) and for what
(measure.py).
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.backend import backend, build
from benchmarks.peers.install import VERSIONS, install, installed, own_weight, weight
from benchmarks.peers.measure import MEASURES, WARM_UP, Target
from benchmarks.peers.others import PEERS
from benchmarks.peers.ours import OURS
from benchmarks.peers.recipe import Place, Recipe, direct
from benchmarks.peers.report import DIRECT, Report
from benchmarks.peers.start import NotStarted, settle, started
from benchmarks.running import ROOT, Process

OWN = "tollgate"
LONGER = 3  # a low load lasts so many times as long: it has few requests a second

HEADER = """\
min/median/max of {rounds} rounds, each load {seconds:g} s. c1, c16 and c64 are so many clients that each ask again once
answered; the streams of the second table have a token each 2 ms. CPU is user and system time of the gateway's
processes; `others` is how much of its core went elsewhere meanwhile: above 10 %, believe only the CPU times. At low
load (50 requests a second, or 10 streams with a token each 5 ms; LiteLLM and the semantic cache 10 and 2) + is added to
`direct`, whose own line says what it is added to. Memory is the processes' RSS, without load and at most; installed is
without interpreter and bytecode. Each token is a chunk. A dash: so slow that nothing was seen in time, or not asked.
Load average of these {cores} cores: {before:.1f} before, {after:.1f} after.
Peers: {versions}. Not installed, hence left out: {absent}.
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """What every round needs. `seconds` is the length of one full load."""

    folder: Path
    cores: Sequence[int]
    stub: Process
    program: Path
    seconds: float
    report: Report

    def round(self, recipes: Iterable[Recipe]) -> None:
        """Start all, put each load on each, stop all."""
        with ExitStack() as stack:
            targets = [target for recipe in recipes for target in self._started(recipe, stack)]
            for target in targets:
                target.seen(WARM_UP, self.seconds)
            for measure in MEASURES:
                seconds = self.seconds * LONGER if measure.low else self.seconds
                seen = {target.recipe.name: target.seen(measure, seconds) for target in targets}
                for name, its in seen.items():
                    self.report.saw(name, measure, its, seen[DIRECT])
            for target in targets[1:]:
                self.report.add(target.recipe.name, "RSS at most MiB", target.process.memory("VmHWM"))

    def _started(self, recipe: Recipe, stack: ExitStack) -> list[Target]:
        """None when it does not start; the report says so."""
        core = self.cores[-1]
        try:
            process, seconds = started(recipe, [core], stack)
        except NotStarted as error:
            self.report.fault(recipe.name, str(error))
            return []
        settle(process)
        if recipe.name != DIRECT:
            self.report.add(recipe.name, "start s", seconds)
            self.report.add(recipe.name, "RSS idle MiB", process.memory("VmRSS"))
        return [Target(recipe, process, core, self.stub, self.program, self.folder)]


def measure(report: Report, names: Sequence[str], peers: Path, rounds: int, seconds: float) -> None:
    """Every named gateway, into `report`."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    with tempfile.TemporaryDirectory() as name, backend(Path(name), cores[len(cores) > 2]) as stub:
        place = Place(Path(name), peers, stub.port)
        ours = [recipe(place) for recipe in OURS if OWN in names]
        others = [recipe(place) for name, recipe in PEERS.items() if name in names]
        for recipe in ours:
            report.add(recipe.name, "installed MB", own_weight(ROOT))
        for recipe in others:
            report.add(recipe.name, "installed MB", weight(peers, recipe.name))
        bench = Bench(place.folder, cores, stub, build(place.folder, "loadgen"), seconds, report)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            bench.round([direct(stub), *ours, *others])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="install the peers and end")
    parser.add_argument("--peers", type=Path, default=ROOT / "build/peers", help="the folder they are in")
    parser.add_argument("--only", nargs="+", choices=[OWN, *PEERS], default=[OWN, *PEERS], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one load")
    parser.add_argument("--quick", action="store_true", help="one short round: to see that everything runs")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    peers = given.peers.resolve()
    if given.install:
        install(peers)
        return
    there = [name for name in given.only if name in (OWN, *installed(peers))]
    rounds, seconds = (1, 0.5) if given.quick else (given.rounds, given.seconds)
    named = {
        "versions": ", ".join(VERSIONS[name] for name in there if name != OWN) or "none",
        "absent": ", ".join(name for name in given.only if name not in there) or "none",
    }
    before, report = os.getloadavg()[0], Report()
    try:
        measure(report, there, peers, rounds, seconds)
    finally:  # what was measured until a gateway broke, or somebody had enough
        loads = {"before": before, "after": os.getloadavg()[0], "cores": os.cpu_count()}
        print(HEADER.format(rounds=rounds, seconds=seconds, **named, **loads))
        print(report)


if __name__ == "__main__":
    main()
