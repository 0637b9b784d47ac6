"""Whether an answer is held back: `python -m benchmarks.holding`. Milliseconds between two pieces.

A scripted backend writes a token every STEP_S seconds; what the pipeline gives should come at the same pace, of a plain
stream and of one with a schema in verdict mode, whose progress is followed: what is held back would come in bursts.
Both take turns in one run: compare them. Backend and gateway share one process, so that the figures are of both.
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

from serving.events import Deltas
from tests.fakes.backend import Script, first, last, piece
from tests.fakes.said import DONE
from tests.gateway.assembled import Assembled, assembled
from tests.gateway.calls import call

STEP_S = 0.005
SCHEMA = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}, "required": ["a"]}
FORMAT = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}
TEXT = ['{"a": ["', *['word", "'] * 120, '"]}']


def script() -> Script:
    pieces = [piece({"content": text}, n, "stop" if n == len(TEXT) else None) for n, text in enumerate(TEXT, 1)]
    steps = [step for one in pieces for step in (one, STEP_S)]
    return Script((first(), STEP_S, *steps, last(len(TEXT)), DONE))


async def held(core: Assembled, fields: dict[str, Any]) -> list[float]:
    """Milliseconds from each piece to the next."""
    core.fake.plan(script())
    came = []
    asked = call(fields=fields, stream=True, mode="verdict", cache="skip")
    async with aclosing(core.runtime.pipeline.run(asked)) as answers:
        async for answer in answers:
            if isinstance(answer, Deltas):
                came += [time.perf_counter()] * len(answer.pieces)
    return [(b - a) * 1e3 for a, b in itertools.pairwise(came)]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        async with assembled(Path(folder)) as core:
            gaps: dict[str, list[float]] = {"plain": [], "schema, verdict": []}
            for _ in range(rounds):
                gaps["plain"] += await held(core, {})
                gaps["schema, verdict"] += await held(core, FORMAT)
    print(f"{'stream':16} {'median':>8} {'99th':>8}")
    for name, found in gaps.items():
        print(f"{name:16} {statistics.median(found):8.3f} {statistics.quantiles(found, n=100)[-1]:8.3f}")


if __name__ == "__main__":
    asyncio.run(main())
