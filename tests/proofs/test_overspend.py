"""Everybody at once on a budget for a few: exactly as many are admitted, in every window, on every worker."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from gateway.state.clock import Clock
from gateway.state.windows import MINUTE
from tests.fakes.backend import FakeBackend, Script
from tests.fakes.said import dripping, said
from tests.harness.audit import Evidence
from tests.harness.client import Reply, chat
from tests.harness.counting import ASKED
from tests.harness.crash import CHECKPOINT
from tests.harness.gateway import Gateway, database, serving
from tests.harness.plugin import Audited
from tests.harness.wall import NOON, calm_zone, set_state
from tests.proofs.conftest import Pair

BODY = {"model": "small", "messages": ASKED, "max_tokens": 8, "stream": True}
CONNECTS = 2000  # a second: the kernel resets those that more than fill the queue of a listening socket
AGAIN_S, TRIES = 1.0, 120  # told to retry, because the state did not answer a crowded worker in time, they do
JITTER_S = 0.5  # the clients ask within this, in an order that the seed decides
STARTS_S = (15, 60, 180)  # to midnight when it is started: a busy machine may need more than one try
BEFORE_S = 4.0  # of midnight some waves come
DAY = 86_400
SECOND = Script(dripping(0.25, said("a", "b", "c", "d")))


async def together(url: str, key: str, count: int, seed: int) -> list[Reply]:
    """All connect before any asks; what each is told in the end."""
    moments, connected = random.Random(seed), asyncio.Barrier(count)

    async def one(number: int, wait: float) -> Reply:
        async def ready() -> None:
            await connected.wait()
            await asyncio.sleep(wait)

        await asyncio.sleep(number / CONNECTS)
        reply = await chat(url, key, BODY, ready=ready)
        for _ in range(TRIES):
            if reply.code != "state_unavailable":
                break
            await asyncio.sleep(AGAIN_S)
            reply = await chat(url, key, BODY)
        return reply

    return await asyncio.gather(*(one(number, moments.uniform(0, JITTER_S)) for number in range(count)))


def race(gateway: Gateway, seed: int, requests: int, budget: int) -> list[Reply]:
    """A tenant of its own; asserts that exactly the budget was admitted."""
    key = gateway.key(f"race-{seed}", f"requests/day={budget}", zone=calm_zone())
    replies = asyncio.run(together(gateway.url, key, requests, seed))
    outcomes = Counter((reply.status, reply.code, reply.broken) for reply in replies)
    assert outcomes == {(200, None, None): budget, (429, "budget_exceeded", None): requests - budget}, f"seed {seed}"
    assert all(reply.done for reply in replies if reply.status == 200), f"seed {seed}"
    return replies


def test_a_few_hundred_on_two_workers(pair: Pair, audited: Audited) -> None:
    replies = race(pair.gateway, seed=1, requests=400, budget=20)
    audited(pair.gateway.books, lambda: Evidence(pair.fake.chats(), replies, checkpoint=CHECKPOINT))


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_ten_thousand_on_four_workers(tmp_path: Path, state: str, fake: FakeBackend, audited: Audited) -> None:
    replies: list[Reply] = []
    with serving(tmp_path, fake.url, state, workers=4) as gateway:
        audited(gateway.books, lambda: Evidence(fake.chats(), replies))
        for seed in range(20):
            replies += race(gateway, seed, requests=10_000, budget=500)


async def waves(url: str, key: str, size: int, seconds: float) -> list[Reply]:
    """So many at once, again and again for so long."""
    replies: list[asyncio.Task[list[Reply]]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        replies.append(asyncio.create_task(together(url, key, size, seed=len(replies))))
        await asyncio.sleep(JITTER_S)
    return [reply for wave in replies for reply in await wave]


def across_midnight(folder: Path, fake: FakeBackend, audited: Audited, workers: int, size: int, budget: int) -> None:
    """Answers take a second, so that some held before midnight settle after it. On SQLite: its clock can be set."""
    fake.usual = lambda seen: SECOND
    for ahead_s in STARTS_S:
        state = f"sqlite:///{folder}/{ahead_s}.db"
        clock = set_state(database(folder, state), NOON + DAY / 2 - ahead_s)
        with serving(folder, fake.url, state, workers=workers) as gateway:
            if clock.now() < NOON + DAY / 2 - BEFORE_S:
                night(gateway, fake, audited, clock, size, budget)
                return
    raise AssertionError(f"it does not start within {STARTS_S[-1]} s")


def night(gateway: Gateway, fake: FakeBackend, audited: Audited, clock: Clock, size: int, budget: int) -> None:
    replies: list[Reply] = []
    audited(gateway.books, lambda: Evidence(fake.chats(), replies))
    midnight = int(NOON + DAY / 2)
    key = gateway.key("night", f"requests/day={budget}")
    time.sleep(max(0.0, midnight - clock.now() - BEFORE_S))
    replies += asyncio.run(waves(gateway.url, key, size, midnight - clock.now() + BEFORE_S / 2))
    days = {account.start: account.used for account in gateway.books().accounts}
    assert days == {midnight - DAY: budget, midnight: budget}
    assert sum(reply.done for reply in replies) == 2 * budget


def test_across_midnight(tmp_path: Path, fake: FakeBackend, audited: Audited) -> None:
    across_midnight(tmp_path, fake, audited, workers=1, size=40, budget=20)


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_across_midnight_on_four_workers(tmp_path: Path, fake: FakeBackend, audited: Audited) -> None:
    across_midnight(tmp_path, fake, audited, workers=4, size=400, budget=500)


def across_a_minute(
    folder: Path, state: str, fake: FakeBackend, audited: Audited, workers: int, size: int, budget: int
) -> None:
    """The first wave spends the minute; when it has slid out, a minute later, it is spent once more and no more."""
    fake.usual = lambda seen: SECOND
    replies: list[Reply] = []
    with serving(folder, fake.url, state, workers=workers) as gateway:
        audited(gateway.books, lambda: Evidence(fake.chats(), replies))
        key = gateway.key("minute", f"requests/minute={budget}")
        replies += asyncio.run(waves(gateway.url, key, size, MINUTE + 5))
    assert sum(reply.done for reply in replies) == 2 * budget


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_across_a_minute_on_four_workers(tmp_path: Path, state: str, fake: FakeBackend, audited: Audited) -> None:
    across_a_minute(tmp_path, state, fake, audited, workers=4, size=100, budget=50)
