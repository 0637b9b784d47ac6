"""Every kind of request, fault and leaving, all at once: afterwards the books agree with what really happened."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes.backend import FakeBackend
from tests.harness import mixed
from tests.harness.audit import Evidence
from tests.harness.gateway import serving
from tests.harness.plugin import Audited

# One tenant has enough, one runs out of tokens on the way, one is slowed by its minutes.
TENANTS = {
    "rich": ("requests/day=10000000", "tokens/day=1000000000", "usd/month=100000"),
    "poor": ("tokens/day=3000", "usd/month=100"),
    "slow": ("requests/minute=20", "tokens/day=1000000000"),
}
PATIENCE_S = 3.0  # a backend that hangs is given up after this


def mixture(
    folder: Path, state: str, fake: FakeBackend, audited: Audited, count: int, first: int, workers: int = 1
) -> None:
    fake.usual = mixed.script
    with serving(folder, fake.url, state, patience=PATIENCE_S, workers=workers) as gateway:
        keys = [gateway.key(tenant, *limits) for tenant, limits in TENANTS.items()]
        seeds = iter(range(first, first + count))
        replies = asyncio.run(mixed.crowd(gateway.url, keys, seeds, at_once=64))
        audited(gateway.books, lambda: Evidence(fake.chats(), replies))
        outcomes = Counter((reply.status, reply.code, reply.done) for reply in replies)
        assert len(replies) == count
        assert outcomes[200, None, True] > count / 4, outcomes
        assert outcomes[429, "budget_exceeded", False], outcomes
        assert outcomes[429, "rate_limit_exceeded", False], outcomes
        assert not any(status == 500 for status, *_ in outcomes), outcomes


def test_five_hundred(tmp_path: Path, state: str, fake: FakeBackend, audited: Audited) -> None:
    mixture(tmp_path, state, fake, audited, count=500, first=1)


@pytest.mark.prove
@pytest.mark.timeout(7200)
def test_a_hundred_thousand(tmp_path: Path, state: str, fake: FakeBackend, audited: Audited) -> None:
    mixture(tmp_path, state, fake, audited, count=100_000, first=1_000_000, workers=2)
