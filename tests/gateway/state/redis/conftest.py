"""A real Redis for each test that may break it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.redis import RedisServer


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One that may lose the last second of its file, as Redis does unless told otherwise."""
    with RedisServer(tmp_path / "redis", {"appendfsync": "everysec"}) as running:
        yield running
