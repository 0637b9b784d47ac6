"""What an innocent tenant waits beside another tenant's hostile schema, through a gateway on a real engine.

    python -m benchmarks.hostile_schemas --url http://127.0.0.1:8080 --innocent tg_... --hostile tg_...

The two keys are of two tenants of a gateway that runs (`tollgate up`). In each repetition the innocent tenant asks
alone and then beside the hostile request, each time with a schema that the engine has not seen; `ordinary` is the same
beside a harmless schema, which is what any neighbour costs. Medians and the worst; nothing is asserted.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2

TOKENS, BESIDE, PATIENCE_S = 24, 4, 300.0
Schema = dict[str, Any]
_numbers = itertools.count(time.time_ns())


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}


def _nested(levels: int) -> Schema:
    schema: Schema = {"type": "string"}
    for level in range(levels):
        sides = [{"type": "object", "properties": {f"{side}{level}": schema}} for side in "lr"]
        schema = {"anyOf": sides}
    return schema


def _chained(links: int) -> Schema:
    """References that double the alternatives with each link."""
    defs: Schema = {f"n{links}": {"type": "string"}}
    for link in range(links):
        following = {"$ref": f"#/$defs/n{link + 1}"}
        defs[f"n{link}"] = {"anyOf": [following, {"type": "array", "items": following}]}
    return {"$ref": "#/$defs/n0", "$defs": defs}


def _object(count: int, **more: Any) -> Schema:
    return {"type": "object", "properties": {f"p{index}": more or {"type": "integer"} for index in range(count)}}


def _lists(levels: int) -> Schema:
    schema: Schema = {"type": "string", "maxLength": 1000}
    for _ in range(levels):
        schema = {"type": "array", "items": schema, "maxItems": 1000}
    return schema


HOSTILE: dict[str, Schema] = {
    "ordinary": _object(3),
    "nested alternatives": _nested(8),
    "chained references": _chained(24),
    "4,000 values in an enum": {"enum": [f"value-{index:05d}" for index in range(4000)]},
    "nested quantifiers": _text("^((a|a)*|(a+)+)*((b|b)*)*$"),
    "optional counts": _text("^" + "(a?){64}" * 20 + "$"),
    "counted dots": _text("^" + ".{0,100}x" * 3 + "$"),
    "counted alternatives": _text("^(" + "|".join(f"(x{index}.{{0,60}})+" for index in range(40)) + ")*$"),
    "exponential automaton": _text("^[ab]*a[ab]{100}$"),
    "counts beyond the engine's": _text("^.{1,4000}$"),
    "28 levels": _lists(28),
    "250 optional properties": _object(250),
    "1,500 optional properties": _object(1500),
    "60 bounded numbers": _object(60, type="number", minimum=0.123456, maximum=98765.4321),
    "2,000,000,000 items": {"type": "array", "items": {"type": "integer"}, "minItems": 2_000_000_000},
    "string without end": {"type": "string", "minLength": 2_000_000_000},
}


@dataclass(frozen=True, slots=True)
class Asked:
    seconds: float
    told: str


def ask(client: httpx2.Client, key: str, schema: Schema) -> Asked:
    began = time.perf_counter()
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    body = {
        "model": "small",
        "messages": [{"role": "user", "content": f"Write something. {next(_numbers)}"}],
        "max_tokens": TOKENS,
        "response_format": form,
        "gateway": {"cache": "skip", "on_length": "return"},
    }
    response = client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})
    said = response.json()
    told = "answered" if response.status_code == 200 else f"{response.status_code} {said['error']['code']}"
    return Asked(time.perf_counter() - began, told)


def innocent() -> Schema:
    """A new one each time, so that the engine has to compile it."""
    text = {"type": "string", "minLength": 200, "maxLength": 400}
    return {"type": "object", "properties": {f"name{next(_numbers)}": text}, "additionalProperties": False}


def _fresh(schema: Schema) -> Schema:
    return schema | {"title": str(next(_numbers))}


def beside(
    client: httpx2.Client, keys: argparse.Namespace, pool: ThreadPoolExecutor, schema: Schema
) -> Iterator[float]:
    """The innocent tenant's seconds, one by one, for as long as the hostile request takes, BESIDE times at least."""
    hostile: Future[Asked] = pool.submit(ask, client, keys.hostile, _fresh(schema))
    for index in itertools.count():
        if index >= BESIDE and hostile.done():
            return
        yield ask(client, keys.innocent, innocent()).seconds


def measured(client: httpx2.Client, keys: argparse.Namespace, name: str) -> str:
    alone: list[float] = []
    together: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        for _ in range(keys.repetitions):
            alone += (ask(client, keys.innocent, innocent()).seconds for _ in range(BESIDE))
            together += beside(client, keys, pool, HOSTILE[name])
        told = ask(client, keys.hostile, _fresh(HOSTILE[name])).told
    quiet, busy = statistics.median(alone), statistics.median(together)
    return (
        f"{name:28} {told:28} {quiet * 1e3:8.0f} {busy * 1e3:8.0f} {busy / quiet:6.2f} {max(alone) * 1e3:8.0f} "
        f"{max(together) * 1e3:8.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("url", "innocent", "hostile"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    print(f"{'schema':28} {'outcome':28} {'alone':>8} {'beside':>8} {'ratio':>6} {'worst':>8} {'worst':>8}  (ms)")
    with httpx2.Client(base_url=options.url, timeout=PATIENCE_S) as client:
        ask(client, options.innocent, innocent())
        for name in HOSTILE:
            print(measured(client, options, name), flush=True)


if __name__ == "__main__":
    main()
