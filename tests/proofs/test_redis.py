"""Redis in trouble, as clients of a running gateway see it: refused in time and told to retry, never over a limit.

One gateway lives through all of it. Each trouble has a tenant of its own, with a budget of BUDGET requests: some are
spent before, whatever is admitted in between counts, and afterwards exactly the rest is admitted.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.fakes.backend import FakeBackend
from tests.fakes.background import running
from tests.fakes.proxy import Proxy, proxied
from tests.fakes.redis import RedisServer
from tests.fakes.redis_groups import sentinel_group
from tests.gateway.waiting import POLL_S, POLLS, waited
from tests.harness.audit import Evidence, assert_clean, quiet
from tests.harness.client import Reply, chat
from tests.harness.counting import ASKED, CountingBackend
from tests.harness.crash import CHECKPOINT, Crash
from tests.harness.gateway import Gateway, serving

BODY = {"model": "small", "messages": ASKED, "max_tokens": 8}
BUDGET, BEFORE, DURING = 30, 5, 12
LIMITS = ("requests/day=1000000", "tokens/day=100000000", "usd/month=1000")
WAIT_S = 60.0


@dataclass
class World:
    """A gateway, the Redis that it counts in, and the way between them."""

    gateway: Gateway
    fake: FakeBackend
    server: RedisServer
    proxy: Proxy
    replies: list[Reply] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=count)

    def key(self, limit: str) -> str:
        """A new tenant's key, as soon as the trouble before has passed."""
        for _ in range(POLLS):
            with suppress(HTTPError):
                return self.gateway.key(f"tenant-{next(self.names)}", limit)
            time.sleep(POLL_S)
        raise AssertionError("no key can be made")

    def ask(self, key: str) -> Reply:
        self.replies.append(asyncio.run(chat(self.gateway.url, key, BODY)))
        return self.replies[-1]

    def asked(self, key: str, times: int) -> list[Reply]:
        return [self.ask(key) for _ in range(times)]

    def audit(self) -> None:
        waited(lambda: quiet(self.gateway.books()))
        assert_clean(self.gateway.books(), Evidence(self.fake.chats(), self.replies, checkpoint=CHECKPOINT))


@contextmanager
def world(folder: Path) -> Iterator[World]:
    with (
        running(CountingBackend()) as fake,
        RedisServer(folder / "redis") as server,
        proxied(server.url) as proxy,
        serving(folder, fake.url, proxy.url) as gateway,
    ):
        yield World(gateway, fake, server, proxy)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("trouble")) as made:
        yield made


@dataclass(frozen=True, slots=True)
class Trouble:
    """How it begins and ends. `passing`: it is over by itself as soon as Redis is asked again."""

    name: str
    begin: Callable[[World], object]
    end: Callable[[World], object]
    passing: bool = False


TROUBLES = [
    Trouble("down", lambda w: w.server.kill(), lambda w: w.server.start()),
    Trouble("slow", lambda w: w.proxy.slow(0.2), lambda w: w.proxy.heal()),
    Trouble("hanging", lambda w: w.proxy.blackhole(), lambda w: w.proxy.heal()),
    Trouble("frozen", lambda w: w.server.pause(), lambda w: w.server.resume()),
    Trouble("resetting", lambda w: w.proxy.reset(), lambda w: w.proxy.heal()),
    Trouble("flushed", lambda w: w.server.admin.flushall(), lambda w: None, passing=True),
    Trouble("restarted", lambda w: w.server.restart(), lambda w: None, passing=True),
    Trouble("restarted empty", lambda w: w.server.restart(empty=True), lambda w: None, passing=True),
    Trouble(
        "read-only", lambda w: w.server.admin.replicaof("127.0.0.1", 1), lambda w: w.server.admin.replicaof("NO", "ONE")
    ),
    Trouble(
        "full", lambda w: w.server.admin.config_set("maxmemory", 1), lambda w: w.server.admin.config_set("maxmemory", 0)
    ),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_trouble(shared: World, trouble: Trouble) -> None:
    key = shared.key(f"requests/day={BUDGET}")
    assert all(reply.done for reply in shared.asked(key, BEFORE))
    trouble.begin(shared)
    try:
        during = shared.asked(key, DURING)
    finally:
        trouble.end(shared)
    told = [(reply.status, reply.code, reply.headers.get("x-should-retry")) for reply in during if not reply.done]
    assert set(told) <= {(503, "state_unavailable", "true")}
    assert trouble.passing or told, "it went on as if nothing had happened"
    assert_rest(shared, key, BEFORE + sum(reply.done for reply in during))


def assert_rest(shared: World, key: str, spent: int) -> None:
    """Normal again: what is left is admitted, to the last one, and no more."""
    deadline = time.monotonic() + WAIT_S
    while spent < BUDGET:
        assert time.monotonic() < deadline, f"{spent} of {BUDGET}: {shared.gateway.books().shared}"
        spent += shared.ask(key).done
    refused = shared.ask(key)
    while refused.status == 503 and time.monotonic() < deadline:
        refused = shared.ask(key)
    assert (refused.status, refused.code) == (429, "budget_exceeded")
    shared.audit()


def test_a_failover(tmp_path: Path) -> None:
    with (
        running(CountingBackend()) as fake,
        sentinel_group(tmp_path / "group") as group,
        proxied(group.master.url) as unused,
        serving(tmp_path, fake.url, group.url) as gateway,
    ):
        failing = World(gateway, fake, group.master, unused)
        key = gateway.key("acme", f"requests/day={BUDGET}")
        assert all(reply.done for reply in failing.asked(key, BEFORE))
        group.failover()
        during = failing.asked(key, DURING)
        assert {(reply.status, reply.code) for reply in during} <= {(200, None), (503, "state_unavailable")}
        assert_rest(failing, key, BEFORE + sum(reply.done for reply in during))


def killed_often(made: World, times: int, streams: int, seed: int) -> None:
    """Redis dies under running streams: they end as if nothing had happened, and it is told all of them afterwards.

    Whoever asks while it is away is refused, or spends what was leased.
    """
    key = made.gateway.key("acme", *LIMITS)

    def kill(_: Gateway) -> None:
        made.server.kill()
        made.server.start()

    for number in range(times):
        replies = Crash(seed + number, streams, kill).run(made.gateway, made.fake, key)
        told = {(reply.status, reply.code, reply.done) for reply in replies}
        assert told <= {(200, None, True), (503, "state_unavailable", False)}, f"seed {seed + number}: {told}"
        assert (200, None, True) in told
        made.replies += replies
        made.audit()


def test_redis_is_killed(shared: World) -> None:
    killed_often(shared, times=1, streams=12, seed=5)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_redis_is_killed_thirty_times(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        killed_often(made, times=30, streams=50, seed=2000)
