"""What a request costs in our own Python: CPU time of the pipeline and its ledger, without HTTP and without a network.

    python -m benchmarks.pipeline [--requests 300] [--rounds 7] [--profile ledger]

The real stages with a state in a file and the tiny model's own tokenizer; the backend is a function that answers at
once. `nothing` has no ledger; `rows` writes the journal's row of each request; `ledger` holds and settles under four
limits beside it; `cached` looks for each (new) question in the exact cache and keeps its answer, too. Requests come one
after the other (`alone`) or AT_ONCE of them, so that they share commits. All ways take turns, and the least of all
rounds is shown: on a busy machine compare the ratios. A delta's CPU time is that of a request with DELTAS of them less
that of one with a single one.

Nothing is asserted: it is a measurement. `--profile` shows where the time of one way goes, on the loop's thread only.
"""

import argparse
import asyncio
import cProfile
import math
import pstats
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple, cast

import uvloop

from benchmarks.nothing import NoBudgets, NoJournal
from gateway.answering.changes import Changes
from gateway.answering.judging import Judge
from gateway.caches import cache
from gateway.exchange import Call, Caller, Options
from gateway.ledger import Ledger
from gateway.metrics import Metrics
from gateway.models import Model
from gateway.pipeline import Pipeline
from gateway.prices import Prices
from gateway.schemas import Schemas
from gateway.settings import Settings
from gateway.shots import Selection
from gateway.stages.build import Build
from gateway.stages.check import Check
from gateway.stages.finish import Finish
from gateway.stages.guard import Guard
from gateway.stages.preflight import Preflight
from gateway.stages.retrieve import Retrieve
from gateway.stages.route import Route
from gateway.stages.truncate import Truncate
from gateway.state import Limit, State
from gateway.state.open import open_state
from gateway.telemetry import Telemetry
from gateway.tracing import Trace
from prompts.library import Library
from retrieval.embed import Embedder
from serving.backend import Backend
from serving.events import Delta, Deltas, End, Event, Start, Stop, Usage
from serving.pool import Pool
from serving.tokens import LocalTokens

ROOT = Path(__file__).resolve().parent.parent
TINY = ROOT / "serving" / "tiny" / "model"
DELTAS = 65
AT_ONCE = 16  # requests that share a commit
WARM = 800  # until the write-ahead log is as long as it gets: to lengthen a file costs more than to write into it
TENANT_LIMITS = (Limit("requests", "minute", 10**9), Limit("tokens", "day", 10**12), Limit("usd", "month", 10**15))
KEY_LIMITS = (Limit("tokens", "day", 10**12),)
SYSTEM = "You answer questions about a company's products, briefly and kindly. " * 4
ROW = "{:8} {:>9} {:>6} {:>9} {:>6} {:>6} {:>9}"
_numbers = count()


class Instant:
    """A backend that answers at once, `deltas` words. It stands in for `serving.backend.Backend`."""

    name, fingerprint, deltas = "instant", "instant-1", 1

    async def stream(self, *asked: object) -> AsyncGenerator[Event, None]:
        yield Start("chatcmpl-1", 1_700_000_000, "tiny")
        for number in range(1, self.deltas + 1):
            yield Deltas((Delta(0, {"content": "word "}),), Usage(40, number))
        yield End((Stop(0, "stop"),), Usage(40, self.deltas))


class Figures(NamedTuple):
    """Microseconds of CPU time of a request: alone, among AT_ONCE, and there with DELTAS deltas, not one."""

    alone: float = math.inf
    among: float = math.inf
    longer: float = math.inf


class Way(NamedTuple):
    """One way to answer: with how much of a ledger, and with what the request says of the cache."""

    name: str
    pipeline: Pipeline
    options: Options


def pipeline(state: State, backend: Instant) -> Pipeline:
    """The stages as `gateway.app` puts them together."""
    table = {"models": {"small": {"backends": ["b"]}}, "prices": {"small": {"input": 0.1, "output": 0.4}}}
    settings = Settings.model_validate(table | {"backends": {"b": {"url": "http://127.0.0.1:1"}}})
    pool = Pool([cast(Backend, backend)])
    models = {"small": Model("small", "tiny", pool, LocalTokens.load(TINY), 4096, 512)}
    metrics, telemetry, schemas, embedder = Metrics(), Telemetry(settings.telemetry), Schemas(), Embedder()
    listeners = (telemetry, lambda record, _: metrics.observe(record))
    guard, preflight = Guard(), Preflight(models, settings.check.rounds)
    truncate = Truncate(models, preflight.count)
    retrieve, route = Retrieve(models, b"secret", guard, truncate), Route(models, settings.route.attempts, b"secret")
    return Pipeline(
        Ledger(state.budgets, state.journal, Prices(settings.prices), "benchmark", listeners, metrics.open.inc),
        guard,
        Build(Library.load(ROOT / "prompts"), models, {}, schemas, settings, Selection(embedder)),
        truncate,
        preflight,
        cache(settings.cache, state, embedder, models),
        retrieve,
        Finish(route, guard, Judge(schemas), Changes(models, preflight.count, retrieve), models),
        Check(),
    )


def ways(state: State, backend: Instant) -> list[Way]:
    rows = replace(state, budgets=NoBudgets(state.journal))
    nothing = replace(state, budgets=NoBudgets(NoJournal()), journal=NoJournal())
    whole, skip = pipeline(state, backend), Options(cache="skip")
    return [
        Way("nothing", pipeline(nothing, backend), skip),
        Way("rows", pipeline(rows, backend), skip),
        Way("ledger", whole, skip),
        Way("cached", whole, Options()),
    ]


def asked(options: Options) -> Call:
    """A chat of two messages, some 100 tokens, which nobody has asked before."""
    number = next(_numbers)
    caller = Caller("key-1", "acme", TENANT_LIMITS, KEY_LIMITS)
    messages = ({"role": "system", "content": SYSTEM}, {"role": "user", "content": f"What does product {number} cost?"})
    fields = {"temperature": 0.0, "max_tokens": 256}
    return Call(f"request-{number}", caller, "small", messages, None, fields, options, True, Trace(), time.time())


async def spent(way: Way, requests: int, at_once: int = 1) -> float:
    """Microseconds of CPU time a request, of all threads."""

    async def client() -> None:
        for _ in range(requests // at_once):
            async for _ in way.pipeline.run(asked(way.options)):
                pass

    began = time.process_time_ns()
    await asyncio.gather(*(client() for _ in range(at_once)))
    return (time.process_time_ns() - began) / (requests // at_once * at_once) / 1e3


async def measured(way: Way, backend: Instant, requests: int) -> Figures:
    backend.deltas = 1
    alone, among = await spent(way, requests), await spent(way, requests, AT_ONCE)
    backend.deltas = DELTAS
    return Figures(alone, among, await spent(way, requests, AT_ONCE))


async def compared(found: list[Way], backend: Instant, requests: int, rounds: int) -> None:
    """Prints the least of all rounds: what else a machine does only adds."""
    least = {way.name: Figures() for way in found}
    for _ in range(rounds):
        for way in found:
            least[way.name] = Figures(*map(min, least[way.name], await measured(way, backend, requests)))
    base = least[found[0].name]
    print(ROW.format("ledger", "alone, us", "+us", f"of {AT_ONCE}, us", "+us", "ratio", "delta, us"))
    for name, (alone, among, longer) in least.items():
        cells = (f"{us:.0f}" for us in (alone, alone - base.alone, among, among - base.among))
        print(ROW.format(name, *cells, f"{among / base.among:.2f}", f"{(longer - among) / (DELTAS - 1):.1f}"))


async def profiled(way: Way, backend: Instant, requests: int, deltas: int) -> None:
    backend.deltas = deltas
    profile = cProfile.Profile()
    with profile:
        await spent(way, requests)
    for order in ("tottime", "cumtime"):
        pstats.Stats(profile).sort_stats(order).print_stats(40)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300, help="of a way in a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--profile", choices=["nothing", "rows", "ledger", "cached"])
    parser.add_argument("--deltas", type=int, default=1, help="with --profile")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        backend, state = Instant(), await open_state(f"sqlite:///{folder}/state.db")
        found = ways(state, backend)
        for way in found:
            await spent(way, WARM, AT_ONCE)
        if given.profile:
            (way,) = (way for way in found if way.name == given.profile)
            await profiled(way, backend, given.requests, given.deltas)
        else:
            await compared(found, backend, given.requests, given.rounds)
        await state.close()


if __name__ == "__main__":
    uvloop.run(main())
