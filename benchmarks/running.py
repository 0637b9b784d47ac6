"""The processes that are measured: the stub, and `tollgate serve` on a folder set up as an operator would.

Each is pinned to a core, and /proc says what it uses. Knows no load and no figures. Needs Linux.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TOLLGATE = Path(sys.executable).with_name("tollgate")
TICKS = os.sysconf("SC_CLK_TCK")

START_S = 120.0  # a start takes seconds; on a machine that swaps or compiles beside it, longer
STOP_S = 60.0  # longer than our own grace
LIMITS = ("requests/minute=1000000000", "tokens/day=1000000000000", "usd/month=1000000")
SETTINGS = """
[state]
url = {state}
ledger = "sqlite:///ledger.db"
[build]
prompts = {prompts}
[backends.stub]
url = "http://127.0.0.1:{stub}"
[models.small]
backends = ["stub"]
tokenizer = {tokenizer}
[prices.small]
input = 0.10
output = 0.40
[retrieve.docs]
path = "docs"
source = {documents}
"""


class Process:
    """A child process on cores of its own, as /proc sees it together with its children. Leaving the block stops it.

    `extra` is its environment beside ours.
    """

    def __init__(
        self,
        command: Sequence[object],
        cores: Sequence[int],
        log: Path,
        port: int,
        extra: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.port, self._log, self._began = port, log, time.monotonic()
        env = {**environment(), **extra}
        with log.open("wb") as out:
            self._popen = subprocess.Popen(list(map(str, command)), stdout=out, stderr=out, env=env)
        os.sched_setaffinity(self._popen.pid, cores)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self._popen.terminate()
        try:
            self._popen.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def cpu(self) -> float:
        """User and system seconds used until now."""
        fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self._tree())
        return sum(int(f[11]) + int(f[12]) for f in fields) / TICKS

    def memory(self, name: str) -> float:
        """MiB: `VmRSS` is what it has now, `VmHWM` the most it had."""
        lines = (line for pid in self._tree() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return sum(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

    @property
    def ended(self) -> bool:
        """Has it ended by itself?"""
        return self._popen.poll() is not None

    @property
    def said(self) -> str:
        """Its log's end."""
        return "\n".join(self._log.read_text().splitlines()[-20:])

    def threads(self) -> Iterator[int]:
        """The ids of its threads, as the kernel schedules them."""
        for pid in self._tree():
            yield from (int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir())

    def waited(self, path: str) -> float:
        """Wait until `path` answers 200; seconds since the process was started. Exits with its log's end if not."""
        while not _answers(f"http://127.0.0.1:{self.port}{path}"):
            if self.ended or time.monotonic() - self._began > START_S:
                raise SystemExit(f"{self.said}\n{self._log.stem} did not answer at {path}")
            time.sleep(0.02)
        return time.monotonic() - self._began

    def _tree(self) -> Iterator[int]:
        todo = [self._popen.pid]
        while todo:
            pid = todo.pop()
            yield pid
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                todo += map(int, children.read_text().split())


def stub(folder: Path, core: int) -> Process:
    """The backend; see stub.py."""
    port = free_port()
    process = Process([sys.executable, HERE / "stub.py", port], [core], folder / "stub.log", port)
    process.waited("/health")
    return process


def gateway(
    folder: Path, cores: Sequence[int], workers: int = 1, extra: Mapping[str, str] = MappingProxyType({})
) -> Process:
    """`tollgate serve` on the settings in `folder`, just started."""
    port = free_port()
    command = [TOLLGATE, "serve", "--config", folder / "gateway.toml", "--port", port, "--workers", workers]
    return Process(command, cores, folder / f"gateway-{port}.log", port, extra)


def set_up(folder: Path, backend: int, state: str = "sqlite:///state.db") -> str:
    """Make settings, tenant, key and collection for a backend on that port; returns the key."""
    places = {"prompts": ROOT / "prompts", "documents": ROOT / "documents", "tokenizer": ROOT / "serving/tiny/model"}
    quoted = {name: json.dumps(str(path)) for name, path in places.items()}
    (folder / "gateway.toml").write_text(SETTINGS.format(stub=backend, state=json.dumps(state), **quoted))
    tollgate(folder, "tenants", "create", "bench", *(option for limit in LIMITS for option in ("--limit", limit)))
    tollgate(folder, "index", "build")
    return str(json.loads(tollgate(folder, "keys", "create", "--tenant", "bench", "--json"))[0]["key"])


def environment() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1"}


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def tollgate(folder: Path, *arguments: str) -> str:
    """Run a command on the settings in `folder`; what it prints. Exits with its errors when it fails."""
    command = [str(TOLLGATE), *arguments, "--config", str(folder / "gateway.toml")]
    done = subprocess.run(command, env=environment(), text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False
