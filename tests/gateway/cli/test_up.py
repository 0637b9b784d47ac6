"""up: from nothing to an answer, and to nothing again, with a real vLLM."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.settings import load
from tests.gateway.cli.conftest import Tollgate
from tests.gateway.cli.processes import Running, processes_with, running

ANSWER = {
    "model": "small",
    "prompt": {"id": "answer", "variables": {"question": "What does the KV cache do?"}},
    "gateway": {"on_length": "return"},
}


def asked(started: dict[str, str]) -> httpx2.Response:
    """The answer to the sample question."""
    headers = {"authorization": f"Bearer {started['key']}"}
    return httpx2.post(f"{started['url']}/v1/chat/completions", json=ANSWER, headers=headers, timeout=120)


def announced(up: Running) -> dict[str, Any]:
    """The one line of `--json`."""
    started: dict[str, Any] = json.loads(up.line())
    assert started.keys() == {"url", "key", "admin_key", "model"}
    return started


def test_it_answers_traces_and_starts_again_with_the_same_key(engine: str, tmp_path: Path, tollgate: Tollgate) -> None:
    command = ("up", "--backend", f"{engine}/v1", "--port", 0, "--state", tmp_path / "home", "--json")
    with running(*command, log=tmp_path / "log") as up:
        started = announced(up)
        answer = asked(started)
        assert answer.is_success, answer.text
        assert "kv-cache.md" in tollgate("index", "search", "docs", "KV cache", "--state", tmp_path / "home").out
        row = tollgate("trace", answer.headers["x-request-id"], "--state", tmp_path / "home", "--json").json
        assert {"build", "preflight", "cache", "hold", "retrieve", "route"} <= {s["stage"] for s in row["stages"]}
        admin = {"authorization": f"Bearer {started['admin_key']}"}
        assert httpx2.get(f"{started['url']}/admin/tenants", headers=admin, timeout=60).is_success
        assert up.stop(signal.SIGINT) == 0
        with pytest.raises(httpx2.ConnectError):
            asked(started)
    with running(*command, log=tmp_path / "log") as up:
        assert announced(up)["key"] == started["key"]
        assert "unchanged" in up.log.read_text()
        assert up.stop(signal.SIGTERM) == 0


def test_the_printed_curl_line_answers(engine: str, tmp_path: Path) -> None:
    with running("up", "--backend", engine, "--port", 0, "--state", tmp_path / "home", log=tmp_path / "log") as up:
        printed = ""
        while "Ctrl-C" not in printed:
            printed += up.line()
        line = printed[printed.index("curl ") : printed.index("Ctrl-C")]
        body = json.loads(subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=120).stdout)
        # The small model may be cut short, an error by this prompt's policy; any other error is the line's.
        assert "choices" in body or body["error"]["code"] == "output_truncated", body


def test_with_its_own_engine_it_leaves_no_process_behind(tmp_path: Path) -> None:
    with running("up", "--port", 0, "--state", tmp_path / "home", "--json", log=tmp_path / "log") as up:
        assert asked(announced(up)).is_success
        url = load(tmp_path / "home" / "gateway.toml").backends["small"].url
        port = url.rpartition(":")[2]
        group = processes_with(f"--port\0{port}")
        assert group
        assert up.stop(signal.SIGINT) == 0
        assert processes_with(f"--port\0{port}") == []
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(port))) != 0


@pytest.mark.prove
def test_when_its_engine_dies_it_says_so_and_ends(tmp_path: Path) -> None:
    with running("up", "--port", 0, "--state", tmp_path / "home", "--json", log=tmp_path / "log") as up:
        announced(up)
        port = load(tmp_path / "home" / "gateway.toml").backends["small"].url.rpartition(":")[2]
        for process in processes_with("vllm.entrypoints.openai.api_server"):
            if f"--port\0{port}".encode() in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(process, signal.SIGKILL)
        assert up.ended() == 1
        assert "vLLM ended" in up.log.read_text()
        assert processes_with(f"--port\0{port}") == []


def test_a_busy_port_is_said_before_anything_is_started(tollgate: Tollgate, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = tollgate("up", "--port", taken.getsockname()[1], "--state", tmp_path)
    assert ran.code == 1
    assert "cannot be used" in ran.err
    assert "--port" in ran.err
    assert not (tmp_path / "engine.log").exists()


def test_a_backend_that_is_not_there_is_said(tollgate: Tollgate, tmp_path: Path) -> None:
    ran = tollgate("up", "--backend", "http://127.0.0.1:1", "--port", 0, "--state", tmp_path)
    assert ran.code == 1
    assert "http://127.0.0.1:1 does not say what it serves" in ran.err
    assert tollgate("up", "--backend", "127.0.0.1:1", "--port", 0, "--state", tmp_path).code == 2
