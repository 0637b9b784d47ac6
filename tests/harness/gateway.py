"""A gateway in processes of its own: `tollgate serve` on a settings file, as an operator runs it.

It listens on one port however often it is started, so that its clients find it again after a crash. Tenants and keys
are made over its own admin routes. Knows nothing of what is inside.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.ports import free_port
from tests.harness.books import Books, read
from tests.harness.counting import MODEL_DIR

ROOT = Path(__file__).parents[2]
ADMIN_KEY = "admin-key-of-the-harness"
START_S = 240.0  # several workers on a busy machine, each loading its embedder
STOP_S = 90.0
POLL_S = 0.05
CLIENTS = 20_000  # more at once than any proof has: it is not overload that is proven here

SETTINGS = """
[server]
max_requests = {clients}
grace_s = 1
[state]
url = {state}
ledger = {ledger}
[build]
prompts = {prompts}
[cache]
plain = "off"
[backends.fake]
url = {backend}
max_connections = {clients}
connect_s = 120
first_token_s = 120
between_tokens_s = 120
[backends.hasty]
url = {backend}
max_connections = {clients}
connect_s = 120
first_token_s = 3
between_tokens_s = 3
[models.small]
backends = ["fake"]
tokenizer = {tokenizer}
max_output = 64
[models.hasty]
backends = ["hasty"]
tokenizer = {tokenizer}
max_output = 64
[prices.small]
input = 1.0
output = 2.0
[prices.hasty]
input = 1.0
output = 2.0
"""


class Gateway:
    """The processes, one at a time; `log` has what all of them said.

    Its models are `small` and, with little patience for a backend that hangs, `hasty`.
    """

    def __init__(
        self,
        folder: Path,
        backend: str,
        state: str,
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.workers, self.port = folder, workers, free_port()
        own = {"TOLLGATE_ADMIN_KEY": ADMIN_KEY, "HF_HUB_OFFLINE": "1"}
        self._environment = os.environ | own | dict(environment or {})
        self.url, self.log = f"http://127.0.0.1:{self.port}", folder / "gateway.log"
        places = {"prompts": ROOT / "prompts", "tokenizer": MODEL_DIR, "backend": backend}
        texts = {name: json.dumps(str(value)) for name, value in places.items()}
        self._state, self.database = state, database(folder, state)
        texts |= {"state": json.dumps(state), "ledger": json.dumps(f"sqlite:///{self.database}")}
        self.config = folder / "gateway.toml"
        self.config.write_text(SETTINGS.format(clients=CLIENTS, **texts))
        self._process: subprocess.Popen[bytes] | None = None
        self._workers_started = 0  # ever

    @property
    def pid(self) -> int:
        """Of the first process."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Return once all of it is ready. Raises AssertionError with its log when it ends instead."""
        self._workers_started += self.workers
        command = [sys.executable, "-m", "gateway", "serve", "--config", str(self.config)]
        command += ["--port", str(self.port), "--workers", str(self.workers)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env=self._environment, start_new_session=True
            )
        deadline = time.monotonic() + START_S
        while self.get("/health/ready") != 200:
            assert self._process.poll() is None, f"it ended: {self.tail()}"
            assert time.monotonic() < deadline, f"it is not ready: {self.tail()}"
            time.sleep(POLL_S)
        self.until_whole()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal, SIGKILL to every process of it, another to the first; return once all have gone."""
        assert self._process
        send = os.killpg if number is signal.SIGKILL else os.kill
        send(self._process.pid, number)
        self._process.wait(STOP_S)

    def until_whole(self) -> None:
        """Return once every worker knows its models: the kernel asks one of several sooner."""
        deadline = time.monotonic() + START_S
        while self.log.read_text(errors="replace").count("model hasty: ") < self._workers_started:
            assert time.monotonic() < deadline, f"it does not start: {self.tail()}"
            time.sleep(POLL_S)

    def kill_worker(self) -> None:
        """SIGKILL to the busiest of several workers, by its open files, which is then replaced."""
        self._workers_started += 1
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        os.kill(int(max(children, key=lambda pid: len(os.listdir(f"/proc/{pid}/fd")))), signal.SIGKILL)

    def close(self) -> None:
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_S)

    def books(self) -> Books:
        """What its store says now; of several Redis servers, what its ledger says."""
        return read(self.database, self._state if self._state.startswith("redis://") else None)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def get(self, path: str) -> int:
        """The status of a GET, 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def text(self, path: str) -> str:
        """The body of a GET that succeeds."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as answer:
            return str(answer.read().decode())

    def key(self, tenant: str, *limits: str, zone: str = "UTC") -> str:
        """A new key of a new tenant with these limits."""
        self.admin("/tenants", {"name": tenant, "limits": limits} | ({} if zone == "UTC" else {"zone": zone}))
        key: str = self.admin("/keys", {"tenant": tenant})["key"]
        return key

    def admin(self, path: str, body: Mapping[str, Any]) -> Any:
        headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/admin{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def database(folder: Path, state: str) -> Path:
    """The file that has the journal: the state itself, or with Redis the ledger beside it."""
    return Path(state.removeprefix("sqlite:///")) if state.startswith("sqlite") else folder / "ledger.db"


@contextmanager
def serving(folder: Path, backend: str, state: str, **options: Any) -> Iterator[Gateway]:
    """One that is ready; whatever is left of it at the end of the block is killed."""
    gateway = Gateway(folder, backend, state, **options)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.close()
