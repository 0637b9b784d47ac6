"""Every door and every way to knock: without a key there is nothing but 401 and 404, and no backend hears of it."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import product

import pytest

from gateway.api import ENDPOINTS
from gateway.api.openapi import description
from tests.gateway.api.conftest import Gateway
from tests.harness.client import ask

OPEN = {"/health/live", "/health/ready", "/metrics"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")
NO_KEY: tuple[dict[str, str], ...] = (
    {},
    {"authorization": "Bearer tg_0_0"},
    {"authorization": f"Bearer tg_{'0' * 16}_{'0' * 64}"},
    {"x-api-key": "tg_0_0"},
    {"authorization": "\xff"},
)
HOSTS = ("x/?", "x/health/live#", "evil.example", "127.0.0.1:1@x")
AT_ONCE = 32


def doors(gateway: Gateway) -> list[str]:
    """Every path that wants a key, its parameters filled in."""
    known = set(description(gateway.app)["paths"]) | set(ENDPOINTS)
    return sorted(path.replace("{", "").replace("}", "") for path in known - OPEN)


def disguised(path: str) -> Iterator[str]:
    """The path as a proxy or a router might read it differently."""
    yield from (path + end for end in ("/", ";x", "%00", "?a"))
    yield from (begin + path for begin in ("/", "/.", "/x/..", "/health/live/..", "http://evil.example"))
    yield from (path.upper(), path.replace("/", "/%2e/", 1), "/%2f" + path[1:])


def knocks(paths: Sequence[str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Method, target and headers."""
    for path in paths:
        yield from product(METHODS, [path], NO_KEY)
        yield from product(("GET", "POST"), disguised(path), NO_KEY[:2])
        yield from product(("GET", "POST"), [path], [{"host": host} for host in HOSTS])


async def answered(url: str, asked: Sequence[tuple[str, str, dict[str, str]]]) -> set[tuple[int, str, str]]:
    """Status, method and target of each."""
    todo, found = iter(asked), set()

    async def worker() -> None:
        for method, target, headers in todo:
            reply = await ask(url, method, target, b"" if method == "HEAD" else b"{}", headers)
            found.add((reply.status, method, target))

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return found


def test_nobody_without_a_key_learns_or_does_anything(gateway: Gateway) -> None:
    before, paths = len(gateway.fake.requests), doors(gateway)
    assert {"/v1/chat/completions", "/v1/models", "/v1/usage", "/admin/tenants", "/admin/keys/key_id"} <= set(paths)
    found = asyncio.run(answered(gateway.url, list(knocks(paths))))
    assert {one for one in found if one[0] not in (401, 404)} == set()
    assert {target for status, _, target in found if status == 401} >= set(paths)
    assert len(gateway.fake.requests) == before


@pytest.mark.parametrize("path", sorted(OPEN))
def test_what_is_open_says_nothing_of_a_tenant(gateway: Gateway, path: str) -> None:
    tenant = gateway.tenant("tokens/day=5")
    assert tenant not in gateway.http.get(path).text
