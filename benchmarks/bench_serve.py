"""`vllm bench serve` against a real vLLM directly and through the gateway: the same requests, so the same tokens.

    python -m benchmarks.bench_serve [--backend http://127.0.0.1:8000] [--prompts 64] [--concurrency 8] [--rounds 3]

Without a backend it starts one on the bundled model. Everything of the gateway is on: key, exact count, cache lookup,
budget held and settled, journal, trace. Each round asks random prompts of its own, directly first; every answer goes on
to its ceiling, for `vllm bench serve` sends ignore_eos. Fails when a request does, or when the counts differ; what it
prints is a measurement.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.running import HERE, ROOT, environment, free_port, gateway, set_up
from serving.launch import launch

ENGINE_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
MODEL_DIR = ROOT / "serving" / "tiny" / "model"
ENDPOINTS = {"openai-chat": "/v1/chat/completions", "openai": "/v1/completions"}
INPUT_TOKENS, OUTPUT_TOKENS = 128, 32
FIGURES = {
    "requests/s": "request_throughput",
    "output tokens/s": "output_throughput",
    "TTFT p50 ms": "median_ttft_ms",
    "TTFT p99 ms": "p99_ttft_ms",
    "TPOT p50 ms": "median_tpot_ms",
}

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the engine: a base URL, the model's name there, and the key if it needs one."""

    url: str
    model: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """How many random prompts, how many at once. `seed` makes the same ones again."""

    prompts: int
    concurrency: int
    seed: int = 0


def arguments(way: Way, kind: str, load: Load) -> list[str]:
    """The command line of `vllm bench serve`; `kind` is one of ENDPOINTS."""
    options: dict[str, Any] = {
        "--backend": kind,
        "--endpoint": ENDPOINTS[kind],
        "--base-url": way.url,
        "--model": way.model,
        "--tokenizer": MODEL_DIR,
        "--dataset-name": "random",
        "--random-input-len": INPUT_TOKENS,
        "--random-output-len": OUTPUT_TOKENS,
        "--num-prompts": load.prompts,
        "--max-concurrency": load.concurrency,
        "--seed": load.seed,
        "--temperature": 0,
    }
    header = ["--header", f"Authorization=Bearer {way.key}"] if way.key else []
    return [*(str(part) for option in options.items() for part in option), "--disable-tqdm", *header]


def bench(runs: Sequence[Sequence[str]]) -> list[Result]:
    """The result of each command line. Raises RuntimeError with the end of what it said when it fails."""
    ran = subprocess.run(
        [ENGINE_PYTHON, HERE / "vllm_bench.py"],
        input=json.dumps(runs),
        env=environment() | {"VLLM_NO_USAGE_STATS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(f"vllm bench serve failed:\n{ran.stderr[-2000:]}")
    results: list[Result] = json.loads(ran.stdout)
    return results


def different(direct: Result, through: Result) -> list[str]:
    """What must be the same and is not, in words."""
    names = ("completed", "total_input_tokens", "total_output_tokens")
    changed = (name for name in names if direct[name] != through[name])
    faults = [f"{name}: {direct[name]} directly, {through[name]} through the gateway" for name in changed]
    return faults + [f"{result['failed']} requests failed" for result in (direct, through) if result["failed"]]


def rounds(direct: Way, through: Way, kind: str, load: Load, count: int) -> list[tuple[Result, Result]]:
    """So many pairs of results. Raises RuntimeError when the two of a pair are different."""
    seeds = range(load.seed, load.seed + count)
    loads = [Load(load.prompts, load.concurrency, seed) for seed in seeds]
    results = iter(bench([arguments(way, kind, one) for one in loads for way in (direct, through)]))
    pairs = list(zip(results, results, strict=True))
    if faults := [fault for pair in pairs for fault in different(*pair)]:
        raise RuntimeError(f"{ENDPOINTS[kind]}: {'; '.join(faults)}")
    return pairs


def table(kind: str, pairs: Sequence[tuple[Result, Result]]) -> str:
    """Markdown: one line a figure, medians over the rounds, the ratio as the median of the rounds' ratios."""
    lines = [f"| {ENDPOINTS[kind]} | directly | through the gateway | ratio |", "|---|---|---|---|"]
    for title, name in FIGURES.items():
        ways = [[pair[way][name] for pair in pairs] for way in (0, 1)]
        ratio = statistics.median(after / before for before, after in zip(*ways, strict=True))
        directly, through = map(statistics.median, ways)
        lines.append(f"| {title} | {directly:.4g} | {through:.4g} | {ratio:.3f} |")
    return "\n".join(lines)


@asynccontextmanager
async def engine(url: str | None, folder: Path) -> AsyncIterator[str]:
    """The URL of a vLLM that serves the bundled model as `tiny`."""
    if url:
        yield url
        return
    async with launch(MODEL_DIR, free_port(), ENGINE_PYTHON, folder / "vllm.log", lambda line: None) as started:
        yield started.url


def measure(url: str, folder: Path, load: Load, count: int) -> Iterator[str]:
    """The tables."""
    key = set_up(folder, urlsplit(url).port or 80)
    with gateway(folder, sorted(os.sched_getaffinity(0))) as through:
        through.waited("/health/ready")
        ways = Way(url, "tiny"), Way(f"http://127.0.0.1:{through.port}", "small", key)
        for kind in ENDPOINTS:
            yield table(kind, rounds(*ways, kind, load, count))


HEADER = f"""\
{{prompts}} prompts of {INPUT_TOKENS} tokens, {{concurrency}} at once, {OUTPUT_TOKENS} tokens out, streamed; medians of
{{rounds}} rounds. The same counts both ways, 0 failures. Load average of these {{cores}} cores at first: {{busy:.1f}}.\
"""


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", help="a vLLM on this machine that serves the bundled model as `tiny`")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    load = Load(given.prompts, given.concurrency)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with engine(given.backend, folder) as url:
            print(HEADER.format(**asdict(load), rounds=given.rounds, cores=os.cpu_count(), busy=os.getloadavg()[0]))
            for found in await asyncio.to_thread(lambda: list(measure(url, folder, load, given.rounds))):
                print(f"\n{found}")


if __name__ == "__main__":
    asyncio.run(main())
