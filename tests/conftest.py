"""Real parts that several packages' tests share, each started once a session and stopped whatever happens."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.launch import launch
from tests.fakes.background import running
from tests.fakes.ports import free_port
from tests.fakes.redis import RedisServer

ROOT = Path(__file__).parent.parent
TINY_MODEL = ROOT / "serving" / "tiny" / "model"
ENGINE_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """The files of the model that `engine` serves."""
    return TINY_MODEL


@pytest.fixture(scope="session")
def engine(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a real vLLM on the bundled model, which it calls `tiny`.

    TOLLGATE_TEST_BACKEND names one that is running already, which saves the minute of its start.
    """
    if url := os.environ.get("TOLLGATE_TEST_BACKEND"):
        yield url
        return
    log = tmp_path_factory.mktemp("engine") / "vllm.log"
    starting = launch(model_dir, free_port(), ENGINE_PYTHON, log, lambda line: print(line, file=sys.__stderr__))
    with running(starting) as started:
        yield started.url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis with what budgets need of it: an append-only file, nothing evicted."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


# Fixtures of one package live in its own conftest.py; what follows here is shared by several.
