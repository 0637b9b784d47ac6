"""Real parts that several packages' tests share, each started once a session and stopped whatever happens.

With several test processes (`-n`) they share one engine: it takes a minute of a core to start, and 3 GB.
"""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import HealthCheck, settings

from serving.launch import START_SECONDS, launch
from tests.fakes.background import running
from tests.fakes.ports import free_port
from tests.fakes.redis import RedisServer

ROOT = Path(__file__).parent.parent
TINY_MODEL = ROOT / "serving" / "tiny" / "model"
ENGINE_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
BACKEND = "TOLLGATE_TEST_BACKEND"
STOP, ENGINE = pytest.StashKey[Event](), pytest.StashKey[Thread]()

# A busy machine stretches every example, and Hypothesis takes slow ones for a fault.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """The files of the model that `engine` serves."""
    return TINY_MODEL


def pytest_sessionstart(session: pytest.Session) -> None:
    """Of several processes the first one starts the engine, before the others, and waits for it no more than they."""
    if session.config.getoption("numprocesses", None) and BACKEND not in os.environ:
        port = free_port()
        os.environ[BACKEND] = f"http://127.0.0.1:{port}"
        session.config.stash[STOP] = stop = Event()
        session.config.stash[ENGINE] = thread = Thread(target=_serve, args=(port, stop))
        thread.start()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if STOP in session.config.stash:
        session.config.stash[STOP].set()
        session.config.stash[ENGINE].join()


def _serve(port: int, stop: Event) -> None:
    log = ROOT / ".pytest_cache" / "engine.log"
    log.parent.mkdir(exist_ok=True)
    with running(launch(TINY_MODEL, port, ENGINE_PYTHON, log, _say)):
        stop.wait()


def _say(line: str) -> None:
    print(line, file=sys.__stderr__)


@pytest.fixture(scope="session")
def engine(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a real vLLM on the bundled model, which it calls `tiny`.

    TOLLGATE_TEST_BACKEND names one that is running already, or about to, which saves the minute of its start.
    """
    if url := os.environ.get(BACKEND):
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            assert time.monotonic() < deadline, f"no engine answers at {url} within {START_SECONDS:g} s"
            time.sleep(0.1)
        yield url
        return
    log = tmp_path_factory.mktemp("engine") / "vllm.log"
    with running(launch(model_dir, free_port(), ENGINE_PYTHON, log, _say)) as started:
        yield started.url


def _answers(url: str) -> bool:
    with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis with what budgets need of it: an append-only file, nothing evicted."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


# Fixtures of one package live in its own conftest.py; what follows here is shared by several.
