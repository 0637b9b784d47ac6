"""What every proof starts from: a scripted backend, a gateway in processes of its own, and the auditor at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.backend import FakeBackend
from tests.fakes.background import running
from tests.fakes.redis import RedisServer
from tests.harness.counting import CountingBackend
from tests.harness.plugin import audited

__all__ = ["audited"]


@pytest.fixture
def fake() -> Iterator[FakeBackend]:
    with running(CountingBackend()) as backend:
        yield backend


@pytest.fixture(params=["sqlite", "redis"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state.db"
    else:
        with RedisServer(tmp_path / "redis") as server:
            yield server.url
