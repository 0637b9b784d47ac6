"""`vllm bench serve` through the gateway: the same tokens as without it. benchmarks/bench_serve.py measures."""

import pytest

from benchmarks.bench_serve import ENDPOINTS, OUTPUT_TOKENS, Load, Result, Way, arguments, bench, different
from tests.conformance.conftest import Service

LOAD = Load(prompts=6, concurrency=3)


@pytest.fixture(scope="module")
def results(engine: str, service: Service) -> dict[str, tuple[Result, Result]]:
    """Directly and through the gateway, by kind; one process makes all four runs."""
    key = service.gateway.key("bench", "requests/minute=100000", "tokens/minute=10000000")
    ways = Way(engine, "tiny"), Way(service.gateway.url, "tiny", key)
    found = iter(bench([arguments(way, kind, LOAD) for kind in ENDPOINTS for way in ways]))
    return dict(zip(ENDPOINTS, zip(found, found, strict=True), strict=True))


@pytest.mark.parametrize("kind", ENDPOINTS)
def test_the_counts_are_the_same_and_nothing_fails(results: dict[str, tuple[Result, Result]], kind: str) -> None:
    direct, through = results[kind]
    assert different(direct, through) == []
    assert (through["completed"], through["total_output_tokens"]) == (LOAD.prompts, LOAD.prompts * OUTPUT_TOKENS)
