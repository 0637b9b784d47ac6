"""A gateway as operators run it: `tollgate serve` in processes of its own, a scripted backend behind it, its log."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.fakes.backend import FakeBackend
from tests.fakes.background import running as in_background
from tests.gateway.cli.conftest import ROOT
from tests.gateway.cli.processes import Running, children, running

CHAT = {"model": "small", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
_ACCESS = re.compile(r"^\{.*\}$", re.MULTILINE)  # a line of the access log


@dataclass(frozen=True)
class Gateway:
    """A gateway that is ready, its settings, and the backend behind it."""

    url: str
    config: Path
    running: Running
    fake: FakeBackend

    def key(self, *limits: str) -> str:
        """A new tenant's key, made by the command line beside the running gateway."""
        tenant = f"tenant-{time.monotonic_ns()}"
        self.command("tenants", "create", tenant, *(option for limit in limits for option in ("--limit", limit)))
        return str(json.loads(self.command("keys", "create", "--tenant", tenant, "--json"))[0]["key"])

    def command(self, *arguments: str) -> str:
        """What a command of `tollgate` prints."""
        command = [sys.executable, "-m", "gateway", *arguments, "--config", str(self.config)]
        ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT, text=True)
        return ran.stdout

    def ask(self, key: str) -> AbstractContextManager[httpx2.Response]:
        headers = {"authorization": f"Bearer {key}"}
        return httpx2.stream("POST", f"{self.url}/v1/chat/completions", json=CHAT, headers=headers, timeout=60)

    def workers(self) -> list[int]:
        return children(self.running.process.pid)

    def answered(self, path: str) -> list[tuple[int, int]]:
        """(process, status) of each request to `path` that the log knows of."""
        lines = map(json.loads, _ACCESS.findall(self.running.log.read_text()))
        return [(line["process"], line["status"]) for line in lines if line["path"] == path]


@contextmanager
def served(folder: Path, *options: object) -> Iterator[Gateway]:
    """`tollgate serve` with these options, until it is ready."""
    config = folder / "gateway.toml"
    with in_background(FakeBackend()) as fake:
        config.write_text(
            f"""
            [build]
            prompts = "{ROOT}/prompts"
            [backends.fake]
            url = "{fake.url}"
            [models.small]
            backends = ["fake"]
            """
        )
        with running("serve", "--config", config, "--port", 0, *options, log=folder / "log") as process:
            while "listens on " not in process.log.read_text():
                assert process.process.poll() is None, process.log.read_text()
            url = process.log.read_text().split("listens on ")[1].split()[0]
            with httpx2.Client(timeout=60) as client:
                while not client.get(f"{url}/health/ready").is_success:
                    assert process.process.poll() is None, process.log.read_text()
            yield Gateway(url, config, process, fake)


def worker_of(client: tuple[str, int], workers: list[int]) -> int:
    """Which of the processes has the other end of a connection from `client` (address, port). See proc(5)."""
    there = f"{client[1]:04X}"
    rows = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:])
    inode = next(row[9] for row in rows if row[2].endswith(f":{there}"))
    return next(pid for pid in workers if f"socket:[{inode}]" in map(_target, Path(f"/proc/{pid}/fd").iterdir()))


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:  # closed meanwhile
        return ""
