"""serve: the gateway in a process of its own, reached by the command line and ended by a signal."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from gateway.cli.server import MAX_HEAD_BYTES
from tests.fakes.backend import DONE, FakeBackend, Script, said
from tests.fakes.background import running as in_background
from tests.gateway.cli.conftest import ROOT, Tollgate
from tests.gateway.cli.processes import Running, running

CHAT = {"model": "small", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


@dataclass(frozen=True)
class Gateway:
    """A gateway that is ready, its settings, and the backend behind it."""

    url: str
    config: Path
    running: Running
    fake: FakeBackend

    def key(self) -> str:
        """A new tenant's key, made by the command line beside the running gateway."""
        tenant = f"tenant-{time.monotonic_ns()}"
        command = [sys.executable, "-m", "gateway"]
        for group in (("tenants", "create", tenant), ("keys", "create", "--tenant", tenant, "--json")):
            ran = subprocess.run([*command, *group, "--config", self.config], capture_output=True, check=True, cwd=ROOT)
        return str(json.loads(ran.stdout)[0]["key"])

    def ask(self, key: str) -> AbstractContextManager[httpx2.Response]:
        headers = {"authorization": f"Bearer {key}"}
        return httpx2.stream("POST", f"{self.url}/v1/chat/completions", json=CHAT, headers=headers, timeout=60)


@contextmanager
def served(folder: Path) -> Iterator[Gateway]:
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
        with running("serve", "--config", config, "--port", 0, log=folder / "log") as process:
            while "listens on " not in process.log.read_text():
                assert process.process.poll() is None, process.log.read_text()
            url = process.log.read_text().split("listens on ")[1].split()[0]
            with httpx2.Client(timeout=60) as client:
                while not client.get(f"{url}/health/ready").is_success:
                    assert process.process.poll() is None, process.log.read_text()
            yield Gateway(url, config, process, fake)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with served(tmp_path_factory.mktemp("served")) as started:
        yield started


def test_a_key_made_beside_the_running_gateway_opens_it(gateway: Gateway, tollgate: Tollgate) -> None:
    with gateway.ask(gateway.key()) as answer:
        assert answer.is_success, answer.read()
        assert "server" not in answer.headers
        assert answer.read().endswith(DONE)
    row = tollgate("trace", answer.headers["x-request-id"], "--config", gateway.config, "--json").json
    assert row["status"] == 200


def test_a_running_answer_is_finished_before_it_stops(tmp_path: Path) -> None:
    with served(tmp_path) as gateway:
        steps = said("Hel", "lo")
        gateway.fake.plan(Script(steps=(*steps[:2], 2.0, *steps[2:])))
        with gateway.ask(gateway.key()) as answer:
            pieces = answer.iter_bytes()
            read = next(pieces)
            gateway.running.process.send_signal(signal.SIGTERM)
            read += b"".join(pieces)
        assert read.endswith(DONE)
        assert gateway.running.ended() == 0


def test_a_head_without_end_is_refused(gateway: Gateway) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\nx-long: ")
        sent = 0
        answer = b""
        while not answer and sent < 100 * MAX_HEAD_BYTES:
            try:
                sent += client.send(b"a" * 1024)
                client.settimeout(0.05)
                answer = client.recv(4096)
            except TimeoutError:
                client.settimeout(60)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert sent < 2 * MAX_HEAD_BYTES


def test_heads_are_counted_one_by_one(gateway: Gateway) -> None:
    with httpx2.Client(timeout=60) as client:
        for _ in range(3):
            assert client.get(f"{gateway.url}/health/live", headers={"x-long": "a" * (MAX_HEAD_BYTES // 2)}).is_success


def test_what_keeps_it_from_starting_is_said(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = tollgate("serve", "--config", config, "--port", taken.getsockname()[1])
    assert (busy.code, "Address already in use" in busy.err, "--port" in busy.err) == (1, True, True)
    assert tollgate("serve", "--config", config, "--workers", 2).code == 2
    text = config.read_text()
    config.write_text(text.replace("sqlite:///state.db", "mongodb://x"))
    unknown = tollgate("serve", "--config", config, "--port", 0)
    assert (unknown.code, "mongodb" in unknown.err) == (1, True)
    config.write_text(text.replace("/prompts", "/absent"))
    missing = tollgate("serve", "--config", config, "--port", 0)
    assert (missing.code, "absent" in missing.err) == (1, True)
