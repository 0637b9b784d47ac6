"""count_tokens over real sockets: the engine's own number, for nothing, and only to who may ask."""

from typing import Any

import pytest

from tests.fakes.backend import PROMPT_TOKENS
from tests.gateway.api.anthropic.conftest import Ask
from tests.gateway.api.conftest import Gateway

COUNT = "/v1/messages/count_tokens"
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {"city": {}}}}


def test_a_count_is_the_engines_and_leaves_nothing_behind(gateway: Gateway, ask: Ask) -> None:
    key, before = gateway.key("tokens/day=1000", "requests/day=1"), len(gateway.fake.chats())
    answers = [ask(key, COUNT, max_tokens=None, tools=[TOOL], system="Be brief.") for _ in range(3)]
    for answer in answers:
        body = answer.json()
        assert (answer.status_code, body["input_tokens"]) == (200, PROMPT_TOKENS)
        assert body["gateway"] == {
            "request_id": answer.headers["request-id"],
            "model": "small",
            "prompt": None,
            "tokens": {"input": PROMPT_TOKENS, "source": "exact"},
        }
    asked = next(seen for seen in reversed(gateway.fake.requests) if seen.path == "/tokenize").body
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert asked["tools"][0]["function"]["name"] == "look"
    usage = gateway.http.get("/v1/usage", headers={"x-api-key": key}).json()
    assert [(balance["used"], balance["held"]) for balance in usage["balances"]] == [(0, 0), (0, 0)]
    assert gateway.admin("GET", f"/requests/{answers[0].headers['request-id']}").status_code == 404
    assert len(gateway.fake.chats()) == before


def test_counts_have_the_rate_of_requests_to_themselves(gateway: Gateway, ask: Ask) -> None:
    key = gateway.key("requests/minute=2", "requests/day=1")
    counts = [ask(key, COUNT, max_tokens=None) for _ in range(3)]
    assert [count.status_code for count in counts] == [200, 200, 429]
    assert [count.headers["x-ratelimit-remaining-requests"] for count in counts] == ["1", "0", "0"]
    refused = counts[-1]
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert int(refused.headers["retry-after"]) > 0
    usage = gateway.http.get("/v1/usage", headers={"x-api-key": key}).json()
    assert [(balance["used"], balance["held"]) for balance in usage["balances"]] == [(0, 0), (0, 0)]
    assert ask(key).status_code == 200  # messages are as many as ever


def test_a_template_is_counted_as_it_would_be_sent(gateway: Gateway, ask: Ask) -> None:
    prompt = {"id": "classify-ticket", "variables": {"ticket": "The invoice of March is wrong."}}
    body = ask(path=COUNT, max_tokens=None, messages=None, model="small", prompt=prompt).json()
    assert body["gateway"]["prompt"]["id"] == "classify-ticket"
    asked = next(seen for seen in reversed(gateway.fake.requests) if seen.path == "/tokenize").body
    assert "The invoice of March is wrong." in str(asked["messages"])


@pytest.mark.parametrize(
    ("more", "status", "kind"),
    [
        ({"model": "gpt"}, 404, "not_found_error"),
        ({"model": "unpriced"}, 403, "permission_error"),
        ({"prompt": {"id": "nope"}}, 403, "permission_error"),
        ({"max_tokens": 5}, 400, "invalid_request_error"),
        ({"messages": []}, 400, "invalid_request_error"),
    ],
)
def test_a_count_is_refused_as_the_request_would_be(
    gateway: Gateway, ask: Ask, more: dict[str, Any], status: int, kind: str
) -> None:
    scopes = {"models": ["small", "gpt"], "prompts": ["answer"] if "prompt" in more else None}
    key = gateway.admin("POST", "/keys", json={"tenant": gateway.tenant(), "scopes": scopes}).json()["key"]
    answer = ask(key, COUNT, **({"max_tokens": None} | more))
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
