"""`Idempotency-Key` while the first request runs: who left finds its answer, who is too early is told to wait."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from gateway.state.owners import alive
from tests.fakes.backend import CHATS, PROMPT_TOKENS, FakeBackend, Script, Seen, said, words
from tests.fakes.background import running
from tests.fakes.proxy import Proxy, proxied
from tests.gateway.api.conftest import Gateway, gateway_with, raw_post, settings
from tests.gateway.api.keyed import BODY, STREAMED, answered, ask
from tests.gateway.waiting import waited


def leave(gateway: Gateway, key: str, name: str, after: bytes, /, **change: Any) -> Seen:
    """Send a request, hang up once `after` has come (nothing: once it is at the backend), return it as seen there."""
    before = len(gateway.fake.chats())
    connection = gateway.connect()
    connection.sendall(raw_post(CHATS, json.dumps(BODY | change).encode(), key, f"idempotency-key: {name}"))
    got = b""
    while after not in got:
        got += connection.recv(65536)
    waited(lambda: len(gateway.fake.chats()) > before)
    connection.close()
    return gateway.fake.chats()[-1]


@pytest.mark.parametrize("stream", STREAMED)
def test_who_leaves_in_the_middle_finds_the_whole_answer_and_pays_once(gateway: Gateway, stream: bool) -> None:
    key = gateway.key("tokens/day=1000")
    gateway.fake.plan(Script((*words("Hel"), 0.5, *said("Hel", "lo")[2:])))
    seen = leave(gateway, key, "a", b"Hel" if stream else b"", stream=stream)
    answer = answered(gateway, key, "a", stream=stream)
    assert answer.headers["idempotent-replayed"] == "true"
    assert "Hel" in answer.text
    assert "lo" in answer.text
    assert answer.text.endswith("data: [DONE]\n\n") == stream
    assert (seen.whole, seen.left_early) == (True, False)
    assert gateway.balance(key) == (PROMPT_TOKENS + 2, 0)


CLAIM_AND_DIE = """
import asyncio, os, sys
from gateway.state import Replay
from gateway.state.open import open_state
from gateway.state.owners import alive, owner

async def main(url, tenant):
    state = await open_state(url)
    claim = Replay(tenant, "a", b"digest", "req_dead", owner(), state.clock.now())
    assert await state.replays.begin(claim, alive) is None
    print(owner(), flush=True)
    os.kill(os.getpid(), 9)

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_process_that_died_leaves_its_key_to_the_next_attempt(gateway: Gateway) -> None:
    tenant = gateway.tenant()
    key = gateway.admin("POST", "/keys", json={"tenant": tenant}).json()["key"]
    command = [sys.executable, "-c", CLAIM_AND_DIE, gateway.runtime.settings.state.url, tenant]
    died = subprocess.run(command, capture_output=True, text=True, check=False)
    assert died.returncode == -9, died.stderr
    waited(lambda: not alive(died.stdout.strip()))
    answer = ask(gateway, key, "a")
    assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (200, None)


@pytest.fixture
def held_up(tmp_path: Path, admin_key: str) -> Iterator[tuple[Gateway, Proxy]]:
    """A gateway, and the way to its backend, which can be held up."""
    with (
        running(FakeBackend()) as fake,
        proxied(fake.url) as proxy,
        running(gateway_with(settings(proxy.url, tmp_path), fake)) as own,
    ):
        yield own, proxy


@pytest.mark.parametrize("stream", STREAMED)
def test_while_the_first_one_runs_the_second_is_told_to_wait(held_up: tuple[Gateway, Proxy], stream: bool) -> None:
    gateway, proxy = held_up
    key = gateway.key("tokens/day=1000")
    with ThreadPoolExecutor() as pool:
        proxy.blackhole()
        first = pool.submit(ask, gateway, key, "a", stream=stream)
        waited(lambda: "tollgate_open_requests 1" in gateway.http.get("/metrics").text)
        second, other = ask(gateway, key, "a", stream=stream), ask(gateway, key, "a", stream=stream, seed=1)
        proxy.heal()
        answer = first.result()
    assert (second.status_code, second.json()["error"]["code"]) == (409, "idempotency_in_progress")
    assert second.headers["x-should-retry"] == "true"
    assert int(second.headers["retry-after-ms"]) >= 1000
    assert other.status_code == 422
    assert ask(gateway, key, "a", stream=stream).content == answer.content
    assert len(gateway.fake.chats()) == 1


def test_openais_client_waits_for_the_answer_that_is_under_way(held_up: tuple[Gateway, Proxy]) -> None:
    gateway, proxy = held_up
    key = gateway.key()
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=10, http_client=gateway.http)
    own = {"extra_body": {"gateway": BODY["gateway"]}, "extra_headers": {"idempotency-key": "a"}}
    asked = {name: value for name, value in BODY.items() if name != "gateway"} | own
    with ThreadPoolExecutor() as pool:
        proxy.blackhole()
        first = pool.submit(ask, gateway, key, "a")
        waited(lambda: "tollgate_open_requests 1" in gateway.http.get("/metrics").text)
        waited(lambda: ask(gateway, key, "a").status_code == 409)
        second = pool.submit(lambda: client.chat.completions.with_raw_response.create(**asked))
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)  # it has been told to wait a second at least
        proxy.heal()
        assert second.result().content == first.result().content
    assert second.result().retries_taken >= 1
    assert len(gateway.fake.chats()) == 1
