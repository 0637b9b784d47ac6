"""Starts a real vLLM, in its build for the CPU, on a model folder: for `tollgate up` and for the tests.

A GPU server is started by its own tools (docker-compose.yml); this is for one machine without one. The flags are those
under which the gateway's promises hold: cached tokens in the usage, timings in the answer, the gateway's request ids in
the logs, sampling defaults from the request alone, one grammar engine, tool calls parsed.

Invariant: no process of the engine outlives the block, nor the process that runs it, however that one dies (`guard`).
"""

import asyncio
import os
import re
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from serving import guard
from serving.backend import Backend
from serving.errors import BackendError

START_SECONDS = 300.0  # 25 s on two idle cores; a busy or slow machine takes several times as long
POLL_SECONDS = 0.25
REPORT_SECONDS = 5.0
LOG_LINES = 15

# vLLM on a CPU reads these. Its usage reports and downloads are turned off: it serves a local folder.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "120",  # seconds; longer than serving.connection.KEEPALIVE_SECONDS
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
MILESTONES = {
    "non-default args": "reading the model's configuration",
    "Initializing a V1 LLM engine": "starting the engine",
    "Starting to load model": "loading the weights",
    "CPU KV cache size": "warming up",
    "Application startup complete": "the server is up, asking it for a first token",
}
ADVICE = {
    "No module named": "run `make install` to set up the engine's environment",
    "No such file or directory": "run `make install` to set up the engine's environment",
    "out of memory|MemoryError|Cannot allocate": "free some memory: the engine needs about 3 GiB",
}


class EngineFailed(Exception):
    """Raised when the engine did not start or died; the text has the end of its log and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The arguments of `launch`."""

    model_dir: Path
    port: int
    python: Path
    log_path: Path
    name: str
    max_model_len: int
    start_seconds: float


class Engine:
    """A running vLLM. `url` is its base URL."""

    def __init__(self, settings: Settings, process: asyncio.subprocess.Process) -> None:
        self.url = f"http://127.0.0.1:{settings.port}"
        self._settings = settings
        self._process = process

    async def died(self) -> str:
        """Wait for the engine to end, which it does not do by itself, and say how it did: log and advice."""
        status = await self._process.wait()
        return _failure(f"vLLM ended with status {status}", self._settings.log_path)

    async def stop(self) -> None:
        """Let go of the leash and wait until every process of the engine has gone."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), guard.STOP_SECONDS + 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def launch(
    model_dir: Path,
    port: int,
    python: Path,
    log_path: Path,
    on_progress: Callable[[str], None],
    *,
    name: str = "tiny",
    max_model_len: int = 4096,
    start_seconds: float = START_SECONDS,
) -> AsyncIterator[Engine]:
    """Start vLLM on `model_dir`, wait until it answers as model `name`, and stop it at the end of the block.

    `python` is the interpreter that has vLLM, `max_model_len` the context in tokens; `on_progress` gets a line now and
    then. Raises EngineFailed.
    """
    settings = Settings(model_dir, port, python, log_path, name, max_model_len, start_seconds)
    _require_free(port)
    on_progress(f"starting vLLM on port {settings.port} (log: {settings.log_path})")
    engine = Engine(settings, await _start(settings))
    try:
        await _until_ready(engine, settings, on_progress)
        yield engine
    finally:
        await asyncio.shield(asyncio.ensure_future(engine.stop()))


def _require_free(port: int) -> None:
    """Whatever already listens there would answer in the engine's place."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left by another server is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EngineFailed(f"port {port} is in use; choose another, or stop what listens there") from error


def _command(settings: Settings) -> list[str]:
    options: Mapping[str, str | None] = {
        "--model": str(settings.model_dir),
        "--served-model-name": settings.name,
        "--host": "127.0.0.1",
        "--port": str(settings.port),
        "--max-model-len": str(settings.max_model_len),
        "--dtype": "bfloat16",
        "--enforce-eager": None,
        "--generation-config": "vllm",
        "--enable-prompt-tokens-details": None,
        "--enable-per-request-metrics": None,
        "--enable-request-id-headers": None,
        "--structured-outputs-config.backend": "xgrammar",
        # A small model may write blanks between braces until its ceiling; a grammar without them always ends.
        "--structured-outputs-config.disable_any_whitespace": "true",
        "--enable-auto-tool-choice": None,
        "--tool-call-parser": "hermes",
    }
    flat = [part for option, value in options.items() for part in (option, value) if part is not None]
    return [str(settings.python), "-m", "vllm.entrypoints.openai.api_server", *flat]


async def _start(settings: Settings) -> asyncio.subprocess.Process:
    settings.log_path.parent.mkdir(parents=True, exist_ok=True)
    with settings.log_path.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, guard.__file__),
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,
        )
    assert process.stdin
    process.stdin.write(guard.order(_command(settings)))
    return process


async def _until_ready(engine: Engine, settings: Settings, on_progress: Callable[[str], None]) -> None:
    """Ready means that a first token came: a server can be healthy before its engine is."""
    ready = asyncio.ensure_future(_ready(Backend("engine", engine.url), settings.name))
    died = asyncio.ensure_future(engine.died())
    report = asyncio.ensure_future(_report(settings.log_path, on_progress))
    try:
        done, _ = await asyncio.wait((ready, died), timeout=settings.start_seconds, return_when=asyncio.FIRST_COMPLETED)
        if died in done:
            raise EngineFailed(died.result())
        if ready not in done:
            told = f"vLLM did not answer within {settings.start_seconds:g} s"
            raise EngineFailed(_failure(told, settings.log_path))
        on_progress("vLLM is ready")
    finally:
        for task in (ready, died, report):
            task.cancel()
        await asyncio.gather(ready, died, report, return_exceptions=True)


async def _ready(backend: Backend, name: str) -> None:
    first = {"model": name, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    try:
        while True:
            try:
                if await backend.health():
                    await backend.complete(first)
                    return
            except BackendError:
                pass  # not yet: what is wrong for good ends in the time limit, with the log
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await backend.aclose()


async def _report(log_path: Path, on_progress: Callable[[str], None]) -> None:
    """Each milestone once, as it shows up in the log, and a sign of life in between."""
    began = said = time.monotonic()
    waiting = dict(MILESTONES)
    while True:
        await asyncio.sleep(POLL_SECONDS)
        log = _read(log_path)
        for marker in [marker for marker in waiting if marker in log]:
            on_progress(f"vLLM: {waiting.pop(marker)}")
            said = time.monotonic()
        if time.monotonic() - said >= REPORT_SECONDS:
            said = time.monotonic()
            on_progress(f"vLLM is still starting, {said - began:.0f} s so far")


def _failure(what: str, log_path: Path) -> str:
    """What happened, the end of the log, and advice if the log shows a known cause."""
    log = _read(log_path)
    last = "\n".join(log.splitlines()[-LOG_LINES:])
    hints = [advice for cause, advice in ADVICE.items() if re.search(cause, log, re.IGNORECASE)]
    return f"{what}. The end of {log_path}:\n{last}\nWhat to do: {hints[0] if hints else 'read the whole log'}"


def _read(log_path: Path) -> str:
    return log_path.read_text("utf-8", "replace")
