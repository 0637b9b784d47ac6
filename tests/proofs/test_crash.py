"""Killed in the middle of its streams: no row is lost, none is double, and what was held is settled on the way back."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.fakes.backend import FakeBackend
from tests.gateway.waiting import waited
from tests.harness.audit import Evidence, assert_clean
from tests.harness.client import Reply, chat
from tests.harness.crash import BODY, CHECKPOINT, Crash, terminate
from tests.harness.gateway import Gateway, serving
from tests.harness.plugin import Audited
from tests.proofs.conftest import Pair

LIMITS = ("requests/day=1000000", "tokens/day=100000000", "usd/month=1000")


def evidence(fake: FakeBackend, replies: list[Reply]) -> Evidence:
    return Evidence(fake.chats(), replies, checkpoint=CHECKPOINT)


def killed_often(gateway: Gateway, fake: FakeBackend, key: str, times: int, streams: int, seed: int) -> list[Reply]:
    replies: list[Reply] = []
    for number in range(times):
        replies += Crash(seed + number, streams).run(gateway, fake, key)
        assert gateway.books().open, "it was killed when nothing was held"
        gateway.start()
        assert_clean(gateway.books(), evidence(fake, replies))  # settled before anything is admitted
    assert any(reply.broken and reply.said for reply in replies)
    return replies


def test_killed_and_then_told_to_stop(tmp_path: Path, state: str, fake: FakeBackend, audited: Audited) -> None:
    with serving(tmp_path, fake.url, state) as gateway:
        key = gateway.key("acme", *LIMITS)
        killed = killed_often(gateway, fake, key, times=1, streams=12, seed=random.randrange(10**6))
        stopped = Crash(7, 12, terminate).run(gateway, fake, key)
        audited(gateway.books, lambda: evidence(fake, killed + stopped))
        rows = {row["request_id"]: row for row in gateway.books().rows}
    assert {(reply.status, reply.code, reply.done) for reply in stopped} == {(200, "overloaded", False)}
    assert {rows[reply.request_id]["error"] for reply in stopped} == {"overloaded"}


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_a_hundred_kills(tmp_path: Path, state: str, fake: FakeBackend) -> None:
    with serving(tmp_path, fake.url, state) as gateway:
        killed_often(gateway, fake, gateway.key("acme", *LIMITS), times=100, streams=50, seed=1000)


@pytest.mark.parametrize("started", ["sqlite"], indirect=True)
def test_one_worker_dies_and_the_others_go_on(pair: Pair, audited: Audited) -> None:
    gateway, fake = pair.gateway, pair.fake
    key = gateway.key("acme", *LIMITS)
    after: list[Reply] = []

    def end(gateway: Gateway) -> None:
        gateway.kill_worker()
        # At once, so that the other answers it: the kernel may have given every stream to the one that is dead.
        after.append(asyncio.run(chat(gateway.url, key, BODY)))

    replies = Crash(11, 12, end).run(gateway, fake, key)
    waited(lambda: not gateway.books().open)
    gateway.until_whole()  # for whoever has the pair next
    audited(gateway.books, lambda: evidence(fake, replies + after))
    assert all(reply.done for reply in after)
    assert any(reply.broken for reply in replies)
    assert all(reply.done or reply.broken for reply in replies)
