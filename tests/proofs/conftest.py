"""What every proof starts from: a scripted backend, a gateway in processes of its own, and the auditor at the end."""

from collections.abc import Iterator

import pytest

from tests.fakes.backend import FakeBackend
from tests.fakes.background import running
from tests.harness.plugin import audited

__all__ = ["audited"]


@pytest.fixture
def fake() -> Iterator[FakeBackend]:
    with running(FakeBackend()) as backend:
        yield backend
