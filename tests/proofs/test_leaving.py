"""Clients that leave, before, during and between: each stops its backend, and nothing of it stays behind."""

import asyncio
import os
import random
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.backend import FakeBackend, Script
from tests.fakes.said import dripping, said
from tests.gateway.waiting import waited
from tests.harness.audit import Evidence
from tests.harness.client import How, Leave, Reply, chat
from tests.harness.counting import ASKED
from tests.harness.gateway import Gateway, serving
from tests.harness.plugin import Audited

AT_ONCE = 64
TOKENS = 60
STREAM = Script(dripping(0.05, said(*["word "] * TOKENS)))  # three seconds: nobody stays so long
LIMITS = ("requests/day=10000000", "tokens/day=1000000000")
STAY_S = 0.5  # who waits for a whole answer stays no longer
SLACK = 8  # descriptors that come and go: the store's own, a probe of the backend


def descriptors(gateway: Gateway) -> int:
    return len(os.listdir(f"/proc/{gateway.pid}/fd"))


def open_requests(gateway: Gateway) -> bool:
    return "tollgate_open_requests 0.0" not in gateway.text("/metrics")


async def crowd(url: str, key: str, seeds: range, left: dict[int, float]) -> list[Reply]:
    """Half ask for a stream and leave after some events, if any; half wait for a whole answer and leave before it."""
    todo, replies = iter(seeds), list[Reply]()

    async def worker() -> None:
        for seed in todo:
            draw = random.Random(seed)
            streamed, how = draw.random() < 0.5, draw.choice(list(How))
            body = {"model": "small", "messages": ASKED, "max_tokens": TOKENS + 1, "seed": seed, "stream": streamed}
            leave = Leave(events=draw.randint(0, 3), how=how) if streamed else None
            with suppress(TimeoutError):
                async with asyncio.timeout(None if streamed else draw.uniform(0, STAY_S)):
                    replies.append(await chat(url, key, body, leave))
            left[seed] = time.monotonic()

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return replies


def leaving(gateway: Gateway, fake: FakeBackend, audited: Audited, count: int) -> None:
    fake.usual = lambda seen: STREAM
    key, left = gateway.key("acme", *LIMITS), dict[int, float]()
    asyncio.run(crowd(gateway.url, key, range(AT_ONCE), left))  # pools and caches fill
    waited(lambda: not open_requests(gateway))
    before = descriptors(gateway)
    replies = asyncio.run(crowd(gateway.url, key, range(1000, 1000 + count), left))
    waited(lambda: not open_requests(gateway))
    audited(gateway.books, lambda: Evidence(fake.chats(), replies))
    waited(lambda: descriptors(gateway) <= before + SLACK)
    assert not [seen for seen in fake.chats() if not seen.over.is_set()]
    told(sorted(seen.left_at - left[seen.body["seed"]] for seen in fake.chats() if seen.left_at))


def told(lags: list[float]) -> None:
    """For people: how long after its client a backend was left. Below 0: it was told before the client had closed."""
    assert lags
    p50, p99 = (lags[int(len(lags) * share)] * 1e3 for share in (0.5, 0.99))
    print(f"{len(lags)} generations stopped, {p50:.1f} ms (p50) and {p99:.1f} ms (p99) after their clients left")


def test_a_few_hundred(tmp_path: Path, fake: FakeBackend, audited: Audited) -> None:
    with serving(tmp_path, fake.url, f"sqlite:///{tmp_path}/state.db") as gateway:
        leaving(gateway, fake, audited, 300)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_ten_thousand(tmp_path: Path, fake: FakeBackend, audited: Audited) -> None:
    with serving(tmp_path, fake.url, f"sqlite:///{tmp_path}/state.db") as gateway:
        leaving(gateway, fake, audited, 10_000)
