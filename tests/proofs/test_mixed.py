"""Every kind of request, fault and leaving, all at once: afterwards the books agree with what really happened."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes.backend import FakeBackend
from tests.harness import mixed
from tests.harness.audit import Evidence
from tests.harness.crash import CHECKPOINT
from tests.harness.gateway import Gateway, serving
from tests.harness.plugin import Audited
from tests.proofs.conftest import Pair

# One tenant has enough, one runs out of tokens on the way, one is slowed by its minutes.
TENANTS = {
    "rich": ("requests/day=10000000", "tokens/day=1000000000", "usd/month=100000"),
    "poor": ("tokens/day=1500", "usd/month=100"),
    "slow": ("requests/minute=20", "tokens/day=1000000000"),
}


def mixture(gateway: Gateway, fake: FakeBackend, audited: Audited, count: int, first: int) -> None:
    fake.usual = mixed.script
    keys = [gateway.key(tenant, *limits) for tenant, limits in TENANTS.items()]
    seeds = iter(range(first, first + count))
    replies = asyncio.run(mixed.crowd(gateway.url, keys, seeds, at_once=64))
    audited(gateway.books, lambda: Evidence(fake.chats(), replies, checkpoint=CHECKPOINT))
    outcomes = Counter((reply.status, reply.code, reply.done) for reply in replies)
    assert len(replies) == count
    assert outcomes[200, None, True] > count / 5, outcomes  # a third of them has enough; a fifth of all leave
    assert outcomes[429, "budget_exceeded", False], outcomes
    assert outcomes[429, "rate_limit_exceeded", False], outcomes
    assert not any(status == 500 for status, *_ in outcomes), outcomes


def test_a_few_hundred(pair: Pair, audited: Audited) -> None:
    mixture(pair.gateway, pair.fake, audited, count=400, first=1)


@pytest.mark.prove
@pytest.mark.timeout(7200)
def test_a_hundred_thousand(tmp_path: Path, state: str, fake: FakeBackend, audited: Audited) -> None:
    with serving(tmp_path, fake.url, state, workers=2) as gateway:
        mixture(gateway, fake, audited, count=100_000, first=1_000_000)
