"""`Idempotency-Key` over real sockets: who asks twice pays once, whatever happened to the first answer."""

import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from gateway.api.idempotency import KEPT_BYTES
from gateway.app import create_app
from gateway.state.owners import alive
from tests.fakes.backend import (
    HANG,
    JSON,
    MODEL,
    PROMPT_TOKENS,
    RST,
    FakeBackend,
    Script,
    Seen,
    event,
    said,
    usage,
    words,
)
from tests.fakes.background import running
from tests.fakes.proxy import Proxy, proxied
from tests.gateway.api.conftest import ADMIN_KEY, Gateway, settings
from tests.gateway.api.server import served
from tests.gateway.waiting import locked, until, waited

BODY: dict[str, Any] = {
    "model": "small",
    "messages": [{"role": "user", "content": "Hi"}],
    "gateway": {"cache": "skip"},  # so that only the key can spare the backend
}
DOWN = Script(status=500, headers=JSON, steps=(b"{}",))
STREAMED = [pytest.param(False, id="whole"), pytest.param(True, id="streamed")]


def ask(gateway: Gateway, key: str, name: str | list[str], /, **change: Any) -> httpx2.Response:
    """One chat request under an Idempotency-Key (several headers for a list)."""
    names = [name] if isinstance(name, str) else name
    headers = [("authorization", f"Bearer {key}"), *(("idempotency-key", one) for one in names)]
    return gateway.http.post("/v1/chat/completions", headers=headers, json=BODY | change)


def answered(gateway: Gateway, key: str, name: str, /, **change: Any) -> httpx2.Response:
    """The answer, once the first request under this key is over."""
    answers: list[httpx2.Response] = []

    def over() -> bool:
        answers.append(ask(gateway, key, name, **change))
        return answers[-1].status_code != 409

    waited(over)
    return answers[-1]


def leave(gateway: Gateway, key: str, name: str, after: bytes, /, **change: Any) -> Seen:
    """Send a request, hang up once `after` has come (nothing: once it is at the backend), return it as seen there."""
    before = len(gateway.fake.chats())
    body = json.dumps(BODY | change).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nidempotency-key: {name}\r\n"
    )
    connection = gateway.connect()
    connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    got = b""
    while after not in got:
        got += connection.recv(65536)
    waited(lambda: len(gateway.fake.chats()) > before)
    connection.close()
    return gateway.fake.chats()[-1]


def used(gateway: Gateway, key: str) -> tuple[int, int]:
    """Tokens used and held of the tenant's first limit."""
    balance = gateway.http.get("/v1/usage", headers={"authorization": f"Bearer {key}"}).json()["balances"][0]
    return balance["used"], balance["held"]


@pytest.mark.parametrize("stream", STREAMED)
def test_the_same_request_has_the_same_answer_and_spends_nothing(gateway: Gateway, stream: bool) -> None:
    key, before = gateway.key("tokens/day=1000"), len(gateway.fake.chats())
    first = ask(gateway, key, "a", stream=stream)
    second = ask(gateway, key, "a", stream=stream)
    assert (second.status_code, second.content) == (200, first.content)
    assert second.headers["content-type"] == first.headers["content-type"]
    assert (first.headers.get("idempotent-replayed"), second.headers["idempotent-replayed"]) == (None, "true")
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert (second.headers["x-tokens-used"], second.headers["x-tokens-remaining"]) == ("15", "985")
    assert used(gateway, key) == (15, 0)
    assert len(gateway.fake.chats()) == before + 1
    assert all("claim;dur=" in answer.headers["server-timing"] for answer in (first, second))
    assert gateway.admin("GET", f"/requests/{second.headers['x-request-id']}").status_code == 404  # no row


def test_spaces_and_order_make_no_other_request(gateway: Gateway) -> None:
    key = gateway.key()
    first = ask(gateway, key, "a")
    body = json.dumps(dict(reversed(BODY.items())), indent=3).encode()
    second = gateway.chat(body, key, **{"idempotency-key": "a"})
    assert (second.content, second.headers["idempotent-replayed"]) == (first.content, "true")


def test_another_body_under_the_same_key_is_refused(gateway: Gateway) -> None:
    key, before = gateway.key(), len(gateway.fake.chats())
    ask(gateway, key, "a")
    other = ask(gateway, key, "a", temperature=0.5)
    error = other.json()["error"]
    assert (other.status_code, error["code"], error["param"]) == (422, "idempotency_key_reused", "idempotency-key")
    assert other.headers["x-should-retry"] == "false"
    assert len(gateway.fake.chats()) == before + 1


def test_the_keys_of_two_tenants_have_nothing_to_do_with_each_other(gateway: Gateway) -> None:
    assert not any("idempotent-replayed" in ask(gateway, gateway.key(), "shared").headers for _ in range(2))


def test_two_keys_of_one_tenant_share_their_answers(gateway: Gateway) -> None:
    tenant = gateway.tenant()
    keys = [gateway.admin("POST", "/keys", json={"tenant": tenant}).json()["key"] for _ in range(2)]
    assert ["idempotent-replayed" in ask(gateway, key, "a").headers for key in keys] == [False, True]


@pytest.mark.parametrize("name", ["", "x" * 256, "caf\u00e9", "a\tb", ["a", "b"]], ids=ascii)
def test_a_malformed_key_is_refused(gateway: Gateway, name: str | list[str]) -> None:
    names = name if isinstance(name, list) else [name]
    raw = [(b"authorization", f"Bearer {gateway.key()}".encode())]
    raw += [(b"idempotency-key", one.encode("latin-1")) for one in names]
    answer = gateway.http.post("/v1/chat/completions", headers=raw, json=BODY)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "idempotency-key")


def test_a_key_may_be_long_and_quoted(gateway: Gateway) -> None:
    key = gateway.key()
    for name in ("~" * 255, '"8e03978e-40d5-43e8-bc93-6894a57f9324"'):
        assert [ask(gateway, key, name).status_code for _ in range(2)] == [200, 200]


def test_a_replay_is_a_line_in_the_access_log_that_names_its_original(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tollgate.access")
    key = gateway.key()
    first, second = ask(gateway, key, "a"), ask(gateway, key, "a")

    def logged(answer: httpx2.Response) -> list[dict[str, Any]]:
        lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "tollgate.access"]
        return [line for line in lines if line["request_id"] == answer.headers["x-request-id"]]

    waited(lambda: bool(logged(second)))
    assert logged(second)[0]["replay_of"] == first.headers["x-request-id"]
    assert "replay_of" not in logged(first)[0]


# What costs something and fails: the request, the backend's scripts.
Failed = tuple[dict[str, Any], tuple[Script, ...], int, str]
CUT = Script(said("Hel", finish="length"))
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
STRUCTURED = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}}
CHARGED: dict[str, Failed] = {
    "cut by length": ({"gateway": {"on_length": "error"}}, (CUT,), 502, "output_truncated"),
    "not its schema": (STRUCTURED, (Script(said('{"a": "1"}')),), 502, "output_invalid"),
    "broken off": ({}, (Script((*words("Hel"), RST)),), 502, "backend_unavailable"),
    "after an attempt that was thrown away": (
        {"gateway": {"on_length": "retry"}, "max_completion_tokens": 8}, (CUT, DOWN), 502, "backend_unavailable"
    ),
}  # fmt: skip


@pytest.mark.parametrize("stream", STREAMED)
@pytest.mark.parametrize("failed", CHARGED.values(), ids=CHARGED)
def test_a_failure_that_cost_something_is_kept(gateway: Gateway, failed: Failed, stream: bool) -> None:
    change, scripts, status, code = failed
    key = gateway.key("tokens/day=1000")
    gateway.fake.plan(*scripts)
    first = ask(gateway, key, "a", stream=stream, **change)
    spent, before = used(gateway, key), len(gateway.fake.chats())
    assert spent[0] > PROMPT_TOKENS
    again = ask(gateway, key, "a", stream=stream, **change)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert code in again.text
    assert again.status_code in (200, status)  # a stream had begun
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers.get("x-should-retry") == ("false" if again.status_code == status else None)
    assert (used(gateway, key), len(gateway.fake.chats())) == (spent, before)


@pytest.mark.parametrize("failing", ["a", "b"])
def test_a_failure_of_one_prompt_is_kept_when_another_cost_something(gateway: Gateway, failing: str) -> None:
    asked = []

    async def answer(seen: Seen) -> Script:
        asked.append(seen)
        if seen.body["prompt"] != failing:
            return Script((said_raw, HANG))
        await until(lambda: any(one.written for one in asked))
        return Script((b'{"error": {"message": "no", "code": 400}}',), status=400)

    choice = {"index": 0, "text": "x", "finish_reason": None}
    said_raw = event({"id": "cmpl-fake", "created": 1, "model": MODEL, "choices": [choice], "usage": usage(1)})
    gateway.fake.answers["/v1/completions"] = answer
    key = gateway.key("tokens/day=1000")
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "a"}
    body = {"model": "small", "prompt": ["a", "b"], "gateway": BODY["gateway"]}
    first, again = (gateway.http.post("/v1/completions", headers=headers, json=body) for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (400, 400, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert used(gateway, key) == (PROMPT_TOKENS + 1, 0)
    assert len(asked) == 2


@pytest.mark.parametrize("stream", STREAMED)
def test_a_failure_that_cost_nothing_gives_the_key_free(gateway: Gateway, stream: bool) -> None:
    key = gateway.key("tokens/day=1000")
    gateway.fake.plan(DOWN)
    assert ask(gateway, key, "a", stream=stream).status_code == 502
    fine = ask(gateway, key, "a", stream=stream)
    assert fine.status_code == 200
    assert "idempotent-replayed" not in fine.headers


def test_a_refusal_gives_the_key_free(gateway: Gateway) -> None:
    key = gateway.key()
    refused = [ask(gateway, key, "a", model=model).status_code for model in ("gpt", "gpt4", "small")]
    assert refused == [404, 404, 200]  # with a key that were still taken, another body would be a 422


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
    assert used(gateway, key) == (PROMPT_TOKENS + 2, 0)


def test_an_answer_that_is_too_large_to_keep_is_not_paid_for_twice(gateway: Gateway) -> None:
    key, before = gateway.key(), len(gateway.fake.chats())
    gateway.fake.plan(Script(said(*["x" * 2**20] * (KEPT_BYTES // 2**20))))
    assert len(ask(gateway, key, "a").content) > KEPT_BYTES
    again = ask(gateway, key, "a")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "idempotency_answer_not_kept")
    assert again.headers["x-should-retry"] == "false"
    assert len(gateway.fake.chats()) == before + 1


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


@pytest.mark.prove
def test_while_the_state_is_away_nothing_is_admitted_under_a_key(gateway: Gateway) -> None:
    key, before = gateway.key(), len(gateway.fake.chats())
    with locked(gateway.runtime):
        answer = ask(gateway, key, "a")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "state_unavailable")
    assert answer.headers["x-should-retry"] == "true"
    assert len(gateway.fake.chats()) == before
    assert answered(gateway, key, "a").status_code == 200  # the claim that may have been made is given up


@asynccontextmanager
async def gateway_before(proxy: Proxy, fake: FakeBackend, folder: Path) -> AsyncIterator[Gateway]:
    async with served(create_app(settings(proxy.url, folder))) as url:
        with httpx2.Client(base_url=url, timeout=30) as http:
            yield Gateway(url, fake, None, http)


@pytest.fixture
def held_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Gateway, Proxy]]:
    """A gateway, and the way to its backend, which can be held up."""
    monkeypatch.setenv("TOLLGATE_ADMIN_KEY", ADMIN_KEY)
    with (
        running(FakeBackend()) as fake,
        proxied(fake.url) as proxy,
        running(gateway_before(proxy, fake, tmp_path)) as own,
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
