"""`Idempotency-Key` and failures: what cost something is kept, what cost nothing gives its key free."""

from typing import Any

import pytest

from tests.fakes.backend import HANG, JSON, MODEL, PROMPT_TOKENS, RST, Script, Seen, event, said, usage, words
from tests.gateway.api.conftest import Gateway
from tests.gateway.api.keyed import BODY, STREAMED, ask
from tests.gateway.waiting import until

DOWN = Script(status=500, headers=JSON, steps=(b"{}",))

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
    spent, before = gateway.balance(key), len(gateway.fake.chats())
    assert spent[0] > PROMPT_TOKENS
    again = ask(gateway, key, "a", stream=stream, **change)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert code in again.text
    assert again.status_code in (200, status)  # a stream had begun
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers.get("x-should-retry") == ("false" if again.status_code == status else None)
    assert (gateway.balance(key), len(gateway.fake.chats())) == (spent, before)


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
    assert gateway.balance(key) == (PROMPT_TOKENS + 1, 0)
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
