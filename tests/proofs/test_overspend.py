"""Everybody at once on a budget for a few: exactly as many are admitted, in every window, on every worker."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.state.clock import Clock
from gateway.state.windows import span
from tests.fakes.backend import FakeBackend, Script
from tests.fakes.said import dripping, said
from tests.harness.audit import Evidence
from tests.harness.books import read
from tests.harness.client import Reply, chat
from tests.harness.gateway import Gateway, serving
from tests.harness.plugin import Audited
from tests.harness.wall import NOON, set_state

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8, "stream": True}
JITTER_S = 0.5  # the clients come within this, in an order that the seed decides
DAY = 86_400


async def together(url: str, key: str, count: int, seed: int) -> list[Reply]:
    moments = random.Random(seed)

    async def one(wait: float) -> Reply:
        await asyncio.sleep(wait)
        return await chat(url, key, BODY)

    return await asyncio.gather(*(one(moments.uniform(0, JITTER_S)) for _ in range(count)))


def race(gateway: Gateway, seed: int, requests: int, budget: int) -> list[Reply]:
    """A tenant of its own; asserts that exactly the budget was admitted."""
    key = gateway.key(f"race-{seed}", f"requests/day={budget}")
    replies = asyncio.run(together(gateway.url, key, requests, seed))
    admitted = sum(reply.done for reply in replies)
    assert admitted == budget, f"seed {seed}: {Counter((r.status, r.code, r.broken) for r in replies)}"
    assert {(reply.status, reply.code) for reply in replies if not reply.done} == {(429, "budget_exceeded")}
    return replies


def raced(folder: Path, fake: FakeBackend, audited: Audited, seeds: Sequence[int], workers: int, **sizes: int) -> None:
    set_state(folder / "state.db", NOON)
    replies: list[Reply] = []
    audited(lambda: read(folder / "state.db"), lambda: Evidence(fake.chats(), replies))
    with serving(folder, fake.url, workers=workers) as gateway:
        for seed in seeds:
            replies += race(gateway, seed, **sizes)


def test_a_few_hundred_on_two_workers(tmp_path: Path, fake: FakeBackend, audited: Audited) -> None:
    raced(tmp_path, fake, audited, seeds=(1, 2), workers=2, requests=400, budget=20)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_ten_thousand_on_four_workers(tmp_path: Path, fake: FakeBackend, audited: Audited) -> None:
    raced(tmp_path, fake, audited, seeds=range(20), workers=4, requests=10_000, budget=500)


async def waves(url: str, key: str, clock: Clock, midnight: int, size: int, seed: int) -> list[Reply]:
    """So many at once, again and again from before midnight until well after it."""
    replies: list[asyncio.Task[list[Reply]]] = []
    while clock.now() < midnight + 2:
        replies.append(asyncio.create_task(together(url, key, size, seed + len(replies))))
        await asyncio.sleep(JITTER_S)
    return [reply for wave in replies for reply in await wave]


def across_midnight(folder: Path, fake: FakeBackend, audited: Audited, workers: int, size: int, budget: int) -> None:
    """Answers take a second, so that some held before midnight are settled after it."""
    fake.usual = lambda seen: Script(dripping(0.25, said("a", "b", "c", "d")))
    ahead_s = 20.0 * workers  # it is ready by then, and has seen several waves
    clock = set_state(folder / "state.db", NOON // DAY * DAY + DAY - ahead_s)
    midnight = span("day", clock.now())[1]
    audited(lambda: read(folder / "state.db"), lambda: Evidence(fake.chats(), replies))
    with serving(folder, fake.url, workers=workers) as gateway:
        key = gateway.key("night", f"requests/day={budget}")
        time.sleep(max(0.0, midnight - clock.now() - 4))
        assert clock.now() < midnight, "it started too slowly for this proof"
        replies = asyncio.run(waves(gateway.url, key, clock, midnight, size, seed=3))
        days = {a.start: a.used for a in read(gateway.database).accounts}
    assert days == {midnight - DAY: budget, midnight: budget}
    assert sum(reply.done for reply in replies) == 2 * budget


def test_across_midnight(tmp_path: Path, fake: FakeBackend, audited: Audited) -> None:
    across_midnight(tmp_path, fake, audited, workers=1, size=40, budget=20)


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_across_midnight_on_four_workers(tmp_path: Path, fake: FakeBackend, audited: Audited) -> None:
    across_midnight(tmp_path, fake, audited, workers=4, size=400, budget=500)
