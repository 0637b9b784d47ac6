"""Killed in the middle of its streams: no row is lost, none is double, and what was held is settled on the way back."""

import random
from pathlib import Path

import pytest

from tests.fakes.backend import FakeBackend
from tests.gateway.waiting import waited
from tests.harness.audit import Evidence, assert_clean
from tests.harness.client import Reply
from tests.harness.crash import CHECKPOINT, Crash, kill_one, terminate
from tests.harness.gateway import serving
from tests.harness.plugin import Audited

LIMITS = ("requests/day=1000000", "tokens/day=100000000", "usd/month=1000")


def evidence(fake: FakeBackend, replies: list[Reply]) -> Evidence:
    return Evidence(fake.chats(), replies, checkpoint=CHECKPOINT)


def killed_often(folder: Path, state: str, fake: FakeBackend, times: int, streams: int, seed: int) -> None:
    replies: list[Reply] = []
    with serving(folder, fake.url, state) as gateway:
        key = gateway.key("acme", *LIMITS)
        for number in range(times):
            replies += Crash(seed + number, streams).run(gateway, fake, key)
            assert gateway.books().open, "it was killed when nothing was held"
            gateway.start()
            assert_clean(gateway.books(), evidence(fake, replies))  # settled before anything is admitted
    assert any(reply.broken and reply.said for reply in replies)


def test_a_few_kills(tmp_path: Path, state: str, fake: FakeBackend) -> None:
    killed_often(tmp_path, state, fake, times=2, streams=12, seed=random.randrange(10**6))


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_a_hundred_kills(tmp_path: Path, state: str, fake: FakeBackend) -> None:
    killed_often(tmp_path, state, fake, times=100, streams=50, seed=1000)


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder}/state.db"


def test_told_to_stop_it_settles_by_itself(tmp_path: Path, fake: FakeBackend, audited: Audited) -> None:
    with serving(tmp_path, fake.url, sqlite(tmp_path)) as gateway:
        key = gateway.key("acme", *LIMITS)
        replies = Crash(7, 12, terminate).run(gateway, fake, key)
        audited(gateway.books, lambda: evidence(fake, replies))
        assert {(row["status"], row["error"]) for row in gateway.books().rows} == {(503, "overloaded")}
    assert {(reply.status, reply.code, reply.done) for reply in replies} == {(200, "overloaded", False)}


def test_one_worker_dies_and_the_others_go_on(tmp_path: Path, fake: FakeBackend, audited: Audited) -> None:
    with serving(tmp_path, fake.url, sqlite(tmp_path), workers=2) as gateway:
        key = gateway.key("acme", *LIMITS)
        replies = Crash(11, 12, kill_one).run(gateway, fake, key)
        waited(lambda: not gateway.books().open)
        audited(gateway.books, lambda: evidence(fake, replies))
    assert any(reply.done for reply in replies)
    assert any(reply.broken for reply in replies)
