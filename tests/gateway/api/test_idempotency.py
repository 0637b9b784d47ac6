"""`Idempotency-Key` over real sockets: who asks twice has the same answer, and pays once.

While the first request runs: `test_idempotency_waiting.py`; when it fails: `test_idempotency_failing.py`.
"""

import json
from typing import Any

import httpx2
import pytest

from gateway.api.recorder import KEPT_BYTES
from tests.fakes.backend import Script, said
from tests.gateway.api.conftest import Gateway
from tests.gateway.api.keyed import BODY, STREAMED, answered, ask
from tests.gateway.api.logged import lines, listened
from tests.gateway.waiting import locked, waited


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
    assert gateway.balance(key) == (15, 0)
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
    listened(caplog)
    key = gateway.key()
    first, second = ask(gateway, key, "a"), ask(gateway, key, "a")

    def logged(answer: httpx2.Response) -> list[dict[str, Any]]:
        return [line for line in lines(caplog) if line["request_id"] == answer.headers["x-request-id"]]

    waited(lambda: bool(logged(second)))
    assert logged(second)[0]["replay_of"] == first.headers["x-request-id"]
    assert "replay_of" not in logged(first)[0]


def test_an_answer_that_is_too_large_to_keep_is_not_paid_for_twice(gateway: Gateway) -> None:
    key, before = gateway.key(), len(gateway.fake.chats())
    gateway.fake.plan(Script(said(*["x" * 2**20] * (KEPT_BYTES // 2**20))))
    assert len(ask(gateway, key, "a").content) > KEPT_BYTES
    again = ask(gateway, key, "a")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "idempotency_answer_not_kept")
    assert again.headers["x-should-retry"] == "false"
    assert len(gateway.fake.chats()) == before + 1


@pytest.mark.prove
def test_while_the_state_is_away_nothing_is_admitted_under_a_key(gateway: Gateway) -> None:
    key, before = gateway.key(), len(gateway.fake.chats())
    with locked(gateway.runtime):
        answer = ask(gateway, key, "a")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "state_unavailable")
    assert answer.headers["x-should-retry"] == "true"
    assert len(gateway.fake.chats()) == before
    assert answered(gateway, key, "a").status_code == 200  # the claim that may have been made is given up
