"""serve: the gateway in a process of its own, reached by the command line and ended by a signal."""

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from gateway.cli.head import MAX_HEAD_BYTES
from gateway.state.clock import DRIFT_S
from gateway.state.open import open_state
from tests.fakes.backend import DONE, HANG, Script, said, words
from tests.gateway.cli.conftest import Tollgate
from tests.gateway.cli.served import CHAT, Gateway, served
from tests.gateway.waiting import waited
from tests.harness.books import read
from tests.harness.wall import set_state

DAY_S = 86_400.0


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
        assert [status for _, status in gateway.answered("/v1/chat/completions")] == [200]


def test_what_a_second_signal_cuts_is_told_so(tmp_path: Path) -> None:
    """In its stream, or with a status when nothing was sent yet; and its row says the same."""
    with served(tmp_path) as gateway, ThreadPoolExecutor() as pool:
        gateway.fake.usual = lambda seen: Script((*words("Hel"), HANG))
        key = gateway.key()
        another = [{"role": "user", "content": "Ho"}]  # identical ones are answered once
        headers, body = {"authorization": f"Bearer {key}"}, CHAT | {"stream": False, "messages": another}
        url = f"{gateway.url}/v1/chat/completions"
        whole = pool.submit(lambda: httpx2.post(url, json=body, headers=headers, timeout=60))
        waited(lambda: len(gateway.fake.chats()) == 1)
        with gateway.ask(key) as streamed:
            pieces = streamed.iter_bytes()
            heard = next(pieces)
            gateway.running.process.send_signal(signal.SIGTERM)
            waited(lambda: "Shutting down" in gateway.running.log.read_text())
            gateway.running.process.send_signal(signal.SIGTERM)
            with suppress(httpx2.RemoteProtocolError):  # the stream is broken off after its last event
                for piece in pieces:
                    heard += piece
        assert gateway.running.ended() == 0
        assert sorted(status for _, status in gateway.answered("/v1/chat/completions")) == [200, 503]
        assert heard.count(b'"code":"overloaded"') == 1
        assert DONE not in heard
        refused = whole.result()
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        assert refused.headers["x-should-retry"] == "true"
        rows = read(tmp_path / ".tollgate" / "state.db").rows
        assert [(row["status"], row["error"], row["output_tokens"]) for row in rows] == [(503, "overloaded", 1)] * 2


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
    assert tollgate("serve", "--config", config, "--workers", 0).code == 2
    text = config.read_text()
    config.write_text(text.replace("sqlite:///state.db", "mongodb://x"))
    unknown = tollgate("serve", "--config", config, "--port", 0)
    assert (unknown.code, "mongodb" in unknown.err) == (1, True)
    config.write_text(text.replace("/prompts", "/absent"))
    missing = tollgate("serve", "--config", config, "--port", 0)
    assert (missing.code, "absent" in missing.err) == (1, True)


def test_a_clock_that_was_set_is_taken_over_when_told_to(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    """It is done before the port is asked for, which here is taken, so that nothing is served."""
    file = tmp_path / "state.db"
    set_state(file, time.time() - DAY_S)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = ("serve", "--config", config, "--port", taken.getsockname()[1])
        assert tollgate(*command).code == 1
        assert asyncio.run(off_s(file)) > DAY_S - DRIFT_S
        assert tollgate(*command, "--trust-clock").code == 1
        assert abs(asyncio.run(off_s(file))) < DRIFT_S


async def off_s(file: Path) -> float:
    """How far the system's clock is ahead of the one that a state's limits go by."""
    state = await open_state(f"sqlite:///{file}")
    await state.close()
    return state.clock.off_s()
