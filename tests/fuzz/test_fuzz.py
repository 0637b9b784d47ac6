"""Thousands of requests that are not quite right: never a 500, never silence, and the gateway is as it was."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.api import ENDPOINTS
from gateway.api.described import DESCRIBED
from tests.fakes.backend import FakeBackend, Script
from tests.fakes.background import running
from tests.fuzz.bodies import SAMPLES, body
from tests.fuzz.described import asked
from tests.fuzz.messages import CORPUS, message
from tests.gateway.api.raw_prompts import told
from tests.gateway.waiting import waited
from tests.harness.gateway import ADMIN_KEY, Gateway, serving

EXAMPLES = {path: endpoint.example for path, endpoint in DESCRIBED.items()}

AT_ONCE = 16
PATIENCE_S = 60.0  # longer than any refusal takes on a busy machine
LIMITS = ("requests/day=10000000",)
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
# Everything a client's own fault may lead to, and answers.
FAULTS = {400, 401, 403, 404, 405, 408, 411, 413, 415, 429, 431}
GROWTH_MB = 100  # over 50,000 requests: caches and the allocator's slack, no leak of a kilobyte a request


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("fuzz")
    backend = FakeBackend()
    backend.answers["/v1/completions"] = Script((*told("Hello", " world"),))
    with running(backend) as fake, serving(folder, fake.url, f"sqlite:///{folder}/state.db") as started:
        yield started


@pytest.mark.parametrize(("name", "good"), [("samples", SAMPLES), ("examples", EXAMPLES)])
def test_what_is_right_is_answered(gateway: Gateway, name: str, good: Mapping[str, Mapping[str, Any]]) -> None:
    """On every endpoint: what is spoiled below, and what the description shows."""
    headers = {"authorization": f"Bearer {gateway.key(name, *LIMITS)}"}
    with httpx2.Client(base_url=gateway.url, headers=headers, timeout=PATIENCE_S) as client:
        answers = {path: client.post(path, json=sample) for path, sample in good.items()}
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(ENDPOINTS, 200)


async def crowd(seeds: Iterable[int], ask: Callable[[int], Awaitable[Iterable[int]]]) -> Counter[int]:
    """The statuses of all answers, so many asked for at once."""
    todo, told = iter(seeds), Counter[int]()

    async def worker() -> None:
        for seed in todo:
            told.update(await asyncio.wait_for(ask(seed), PATIENCE_S))

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return told


def bodies(gateway: Gateway, seeds: range) -> Counter[int]:
    async def scenario() -> Counter[int]:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        async with httpx2.AsyncClient(base_url=gateway.url, headers=headers, timeout=PATIENCE_S) as client:

            async def ask(seed: int) -> list[int]:
                path, content = body(seed)
                answer = await client.post(path, content=content)
                assert answer.status_code in FAULTS | {200}, f"seed {seed}: {answer.status_code} {answer.text[:200]}"
                assert answer.headers["content-type"].startswith(("application/json", "text/event-stream")), seed
                return [answer.status_code]

            return await crowd(seeds, ask)

    key = gateway.key(f"bodies-{seeds.start}", *LIMITS)
    return asyncio.run(scenario())


def messages(gateway: Gateway, seeds: range) -> Counter[int]:
    """One connection each. Whoever has sent all it has says so, and is then answered or left."""
    host, port = gateway.url.removeprefix("http://").split(":")

    async def ask(seed: int) -> list[int]:
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(message(seed, key) if seed >= 0 else CORPUS[seed])
            writer.write_eof()
            told = [int(status) for status in STATUS.findall(await reader.read())]
        except ConnectionError:
            return [0]
        finally:
            writer.close()
        assert set(told) <= FAULTS | {100, 200}, f"seed {seed}: {told}"
        return told or [0]

    key = gateway.key(f"messages-{seeds.start}", *LIMITS)
    return asyncio.run(crowd(seeds, ask))


def memory_mb(gateway: Gateway) -> float:
    status = Path(f"/proc/{gateway.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def as_before(gateway: Gateway) -> None:
    """It lives, holds nothing, and answers."""
    waited(lambda: not gateway.books().open)
    assert gateway.get("/health/live") == 200
    assert not [line for line in gateway.log.read_text(errors="replace").splitlines() if "failed on" in line]


def test_bodies_that_are_not_quite_right(gateway: Gateway) -> None:
    statuses = bodies(gateway, range(500))
    assert statuses[200] > 25
    assert statuses[400] > 250
    as_before(gateway)


def test_messages_that_are_not_quite_http(gateway: Gateway) -> None:
    statuses = messages(gateway, range(-len(CORPUS), 200))
    assert statuses[400] > 50
    as_before(gateway)


def test_answers_are_as_described(gateway: Gateway) -> None:
    key = gateway.key("described", *LIMITS)
    assert asked(gateway, key, "--phases", "examples,fuzzing", "-n", "5", "--include-path-regex", "^/v1/c") > 5
    as_before(gateway)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_five_thousand_answers_are_as_described(gateway: Gateway) -> None:
    key = gateway.key("all-described", *LIMITS)
    tenants = asked(gateway, key, "-n", "50", "--exclude-path-regex", "^/admin")
    admins = asked(gateway, ADMIN_KEY, "-n", "50", "--include-path-regex", "^/admin")
    print(f"{tenants} cases with a tenant's key, {admins} with the admin's")
    assert tenants >= 5000
    assert admins >= 500
    as_before(gateway)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_fifty_thousand_bodies(gateway: Gateway) -> None:
    bodies(gateway, range(10_000, 15_000))  # caches fill
    before = memory_mb(gateway)
    statuses = bodies(gateway, range(20_000, 70_000))
    as_before(gateway)
    after = memory_mb(gateway)
    print(f"{statuses}; memory {before:.0f} MB, then {after:.0f} MB")
    assert after - before < GROWTH_MB


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_ten_thousand_messages(gateway: Gateway) -> None:
    print(messages(gateway, range(100_000, 110_000)))
    as_before(gateway)
