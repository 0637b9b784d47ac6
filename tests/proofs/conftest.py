"""What every proof starts from: a scripted backend, a gateway in processes of its own, and the auditor at the end."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.backend import CHAT, FakeBackend
from tests.fakes.background import running
from tests.fakes.redis import RedisServer
from tests.harness.counting import CountingBackend
from tests.harness.gateway import Gateway, serving
from tests.harness.plugin import audited

__all__ = ["audited"]

STORES = ("sqlite", "redis")


@pytest.fixture
def fake() -> Iterator[FakeBackend]:
    with running(CountingBackend()) as backend:
        yield backend


@pytest.fixture(params=STORES)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store of each kind."""
    with ExitStack() as stack:
        yield store(request.param, tmp_path, stack)


def store(kind: str, folder: Path, stack: ExitStack) -> str:
    """The URL of an empty one, for as long as the stack lasts."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/state.db"
    return stack.enter_context(RedisServer(folder / "redis")).url


@dataclass(frozen=True, slots=True)
class Pair:
    """A gateway of two workers and the backend behind it."""

    gateway: Gateway
    fake: FakeBackend


@pytest.fixture(scope="session", params=STORES)
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """On each kind of store one pair for all the small proofs, since a start takes longer than they do."""
    folder = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        backend: FakeBackend = stack.enter_context(running(CountingBackend()))
        state = store(request.param, folder, stack)
        yield Pair(stack.enter_context(serving(folder, backend.url, state, workers=2)), backend)


@pytest.fixture
def pair(started: Pair) -> Pair:
    """The shared pair, whose backend answers as usual; a test makes tenants of its own."""
    started.fake.usual = lambda seen: CHAT
    return started
