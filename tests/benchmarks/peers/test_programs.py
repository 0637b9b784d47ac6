"""The stub and the load generator, which are in C: on each other, and with stub.py behind."""

import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers.backend import answered, backend, build
from benchmarks.peers.measure import LOW, LOW_STREAMS, MARK, PACED, WARM_UP, Load, Measure, parse, request
from benchmarks.peers.recipe import direct
from benchmarks.running import Process

CORE = min(os.sched_getaffinity(0))


def test_without_a_compiler_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="install gcc or clang"):
        build(tmp_path, "stub")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def stub(folder: Path) -> Iterator[Process]:
    with backend(folder, CORE) as process:
        yield process


@pytest.fixture(scope="module")
def loadgen(folder: Path) -> Path:
    return build(folder, "loadgen")


def post(stub: Process, path: str, body: object) -> bytes:
    url = f"http://127.0.0.1:{stub.port}{path}"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=30) as answer:
        return bytes(answer.read())


def events(stub: Process, **fields: Any) -> list[dict[str, Any]]:
    """The events of a stream, which must end as OpenAI's do."""
    *pieces, done, nothing = post(stub, "/v1/chat/completions", {"stream": True, **fields}).decode().split("\n\n")
    assert (done, nothing) == ("data: [DONE]", "")
    return [json.loads(piece.removeprefix("data: ")) for piece in pieces]


def body(folder: Path, stub: Process, measure: Measure) -> Path:
    file = folder / "body.json"
    file.write_text(json.dumps(request(direct(stub), measure)))
    return file


def run(loadgen: Path, port: int, body: Path, *options: str) -> Load:
    command: list[str | Path] = [loadgen, "-p", str(port), "-b", body, "-w", "0.1", "-d", "0.3", *options]
    return parse(subprocess.run(command, check=True, capture_output=True).stdout)


@contextmanager
def refusing(bodies: list[bytes]) -> Iterator[int]:
    """A server that keeps what it is sent and answers 503; its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(503)
            self.send_header("content-length", "0")
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.prove
def test_a_stream_has_the_tokens_that_were_asked_for_and_the_usage_where_it_was(stub: Process) -> None:
    plain = events(stub, max_tokens=3)
    assert [event["choices"][0]["finish_reason"] for event in plain] == [None, None, "stop"]
    assert plain[0]["choices"][0]["delta"]["role"] == "assistant"
    assert not any("usage" in event for event in plain)
    usage = {"include_usage": True, "continuous_usage_stats": True}
    told = events(stub, max_completion_tokens=2, max_tokens=None, stream_options=usage)
    assert [event["usage"]["completion_tokens"] for event in told] == [1, 2, 2]
    assert told[-1]["choices"] == []


@pytest.mark.prove
def test_tokens_are_as_far_apart_as_the_seed_says(stub: Process) -> None:
    asked = time.monotonic_ns()
    sent = [int(event["choices"][0]["delta"]["content"][2:]) for event in events(stub, max_tokens=4, seed=20_000)]
    assert all(at - asked >= number * 20_000_000 for number, at in enumerate(sent, 1))


@pytest.mark.prove
def test_a_chat_is_counted_and_all_else_is_passed_on(stub: Process) -> None:
    before = answered(stub)
    whole = json.loads(post(stub, "/v1/chat/completions", {"max_tokens": 5}))
    assert whole["usage"] == {"prompt_tokens": 64, "total_tokens": 69, "completion_tokens": 5}
    assert json.loads(post(stub, "/tokenize", {"messages": [{"role": "user", "content": "hi"}]}))["count"] > 1
    assert answered(stub) == before + 1


@pytest.mark.prove
def test_http_2_is_hung_up_on(stub: Process) -> None:
    with socket.create_connection(("127.0.0.1", stub.port), timeout=30) as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert client.recv(1) == b""


@pytest.mark.prove
def test_a_closed_load_is_answered_to_the_last_request(stub: Process, loadgen: Path, folder: Path) -> None:
    before = answered(stub)
    seen = run(loadgen, stub.port, body(folder, stub, WARM_UP), "-c", "8")
    assert (seen.failed, seen.broken, seen.unfinished) == (0, 0, 0)
    assert answered(stub) - before == seen.sent > 8
    assert seen.latency_p99 >= seen.latency_p50 > 0


@pytest.mark.prove
def test_every_token_of_a_stream_is_seen(stub: Process, loadgen: Path, folder: Path) -> None:
    seen = run(loadgen, stub.port, body(folder, stub, PACED), "-c", "4")
    assert seen.tokens == 64 * seen.sent
    assert seen.first_p50 >= 2000
    assert seen.way_p99 >= seen.way_p50 > 0


@pytest.mark.prove
@pytest.mark.parametrize("measure", [LOW, LOW_STREAMS])
def test_an_open_load_begins_no_more_than_the_rate_says(
    stub: Process, loadgen: Path, folder: Path, measure: Measure
) -> None:
    seen = run(loadgen, stub.port, body(folder, stub, measure), "-c", "32", "-r", "50")
    assert 0 < seen.sent <= 20  # in 0.4 s
    assert seen.unfinished == 0


@pytest.mark.prove
def test_each_request_bears_its_own_number(loadgen: Path, tmp_path: Path) -> None:
    """And what is not answered with 200 is counted."""
    file, bodies = tmp_path / "body.json", list[bytes]()
    file.write_text(json.dumps({"question": f"Number {MARK}?"}))
    with refusing(bodies) as port:
        seen = run(loadgen, port, file, "-c", "2")
    numbers = [json.loads(body)["question"] for body in bodies]
    assert len(set(numbers)) == len(numbers) == seen.sent == seen.failed
    assert all(len(number) == len(f"Number {MARK}?") and MARK not in number for number in numbers)
