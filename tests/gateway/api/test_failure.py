"""Every row of the error table, over real sockets: with its status before the first byte, as an event after it.

What OpenAI's client makes of them: `test_failure_clients.py`.
"""

import asyncio
import json
from typing import Any

import pytest

from gateway.api.failure import wire_of
from gateway.errors import NotFound
from gateway.state import StateUnavailable
from tests.fakes.backend import FIN, HANG, JSON, RST, Script, piece, said, words
from tests.gateway.api.conftest import ADMIN_KEY, Gateway
from tests.gateway.api.hostile import BODIES, CANARY

HI = [{"role": "user", "content": "Hi"}]
RETRIEVE = {"retrieve": {"collection": "nope"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
STRUCTURED = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}}
REFUSED = Script(status=400, headers=JSON, steps=(b'{"error": {"message": "no", "code": 400}}',))
DOWN = Script(status=500, headers=JSON, steps=(b"{}",))
FULL = Script(status=503, headers=JSON, steps=(b"{}",))
FULL_FOR_EVER = Script(status=503, headers=JSON | {"retry-after": "inf"}, steps=(b"{}",))

# Before the first byte: body beyond model and messages, the tenant's limits, the backend's script; status, type, code.
Row = tuple[dict[str, Any], tuple[str, ...], Script | None, int, str, str]
INVALID = "invalid_request_error"
ROWS: dict[str, Row] = {
    "unpriced": ({"model": "unpriced"}, ("usd/day=1",), None, 403, "permission_error", "not_allowed"),
    "unknown model": ({"model": "gpt"}, (), None, 404, INVALID, "model_not_found"),
    "unknown prompt": ({"prompt": {"id": "nope"}}, (), None, 404, INVALID, "prompt_not_found"),
    "unknown collection": ({"gateway": RETRIEVE}, (), None, 404, INVALID, "collection_not_found"),
    "unknown field": ({"nonsense": 1}, (), None, 400, INVALID, "invalid_value"),
    "unknown gateway field": ({"gateway": {"nonsense": 1}}, (), None, 400, INVALID, "invalid_value"),
    "bad variable": ({"prompt": {"id": "classify-ticket"}}, (), None, 400, INVALID, "invalid_value"),
    "larger than ever allowed": ({}, ("tokens/request=10",), None, 413, INVALID, "request_too_large"),
    "not cached": ({"gateway": {"cache": "only"}}, (), None, 504, "api_error", "not_cached"),
    "refused by the backend": ({}, (), REFUSED, 400, INVALID, "invalid_value"),
    "backends full": ({}, (), FULL, 503, "overloaded_error", "overloaded"),
    "backends full for ever": ({}, (), FULL_FOR_EVER, 503, "overloaded_error", "overloaded"),
    "every backend down": ({}, (), DOWN, 502, "api_error", "backend_unavailable"),
    "backend too slow": ({"model": "hasty"}, (), Script((HANG,)), 504, "api_error", "backend_timeout"),
}

UNREPAIRED = {"gateway": {"on_stop": {"invalid": "error"}}}

# After it: what the request adds, what the backend does; then the same failure's status when nothing was sent yet.
Late = tuple[dict[str, Any], Script, int, str]
LATE: dict[str, Late] = {
    "reset": ({}, Script((*words("Hel"), RST)), 502, "backend_unavailable"),
    "closed early": ({}, Script((*words("Hel"), FIN)), 502, "backend_unavailable"),
    "stalled": ({"model": "hasty"}, Script((*words("Hel"), HANG)), 504, "backend_timeout"),
    "nonsense": ({}, Script((*words("Hel"), b"data: {\n\n")), 502, "backend_unavailable"),
    "no delta": ({}, Script((*words("Hel"), piece({"tool_calls": [{"index": "a"}]}, 2))), 502, "backend_unavailable"),
    "cut by length": (
        {"gateway": {"on_length": "error"}},
        Script(said("Hel", finish="length")),
        502,
        "output_truncated",
    ),
    "no JSON": (STRUCTURED | UNREPAIRED, Script(said("Hel")), 502, "output_invalid"),
    "not its schema": (STRUCTURED | UNREPAIRED, Script(said('{"a": "1"}')), 502, "output_invalid"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_before_the_first_byte_a_failure_has_its_status(gateway: Gateway, row: Row, stream: bool) -> None:
    extra, limits, script, status, kind, code = row
    gateway.fake.plan(*([script] if script else []))
    answer = gateway.chat({"model": "small", "messages": HI, "stream": stream, **extra}, gateway.key(*limits))
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (status, kind, code)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-should-retry"] in ("true", "false")
    assert answer.headers["x-request-id"].startswith("req_")
    assert error["message"]


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_after_the_first_byte_a_failure_is_one_event_without_an_end(gateway: Gateway, late: Late) -> None:
    extra, script, status, code = late
    body = {"model": "small", "messages": HI, **extra}
    gateway.fake.plan(script, script)
    whole = gateway.chat(body)
    assert (whole.status_code, whole.json()["error"]["code"]) == (status, code)
    stream = gateway.chat({**body, "stream": True})
    assert stream.status_code == 200
    *before, error = [json.loads(line.removeprefix("data: ")) for line in stream.text.split("\n\n") if line]
    assert before
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in before)
    assert error == whole.json()
    row = gateway.admin("GET", f"/requests/{stream.headers['x-request-id']}").json()
    assert (row["status"], row["error"]) == (status, code)


@pytest.mark.parametrize(
    ("limit", "kind", "code", "retry"),
    [
        ("requests/minute=1", "rate_limit_error", "rate_limit_exceeded", "true"),
        ("tokens/minute=80", "rate_limit_error", "rate_limit_exceeded", "true"),
        ("requests/day=1", "insufficient_quota", "budget_exceeded", "false"),
        ("tokens/month=80", "insufficient_quota", "budget_exceeded", "false"),
    ],
)
def test_a_used_up_limit_says_which_and_when_it_resets(
    gateway: Gateway, limit: str, kind: str, code: str, retry: str
) -> None:
    key, body = gateway.key(limit), {"model": "small", "messages": HI, "gateway": {"cache": "skip"}}
    answer = [gateway.chat(body, key) for _ in range(2)][-1]
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (429, kind, code)
    assert ("resets at" if retry == "false" else "room for it in") in error["message"]
    assert answer.headers["x-should-retry"] == retry
    assert int(answer.headers["retry-after"]) >= 1
    assert int(answer.headers["retry-after-ms"]) <= 1000 * int(answer.headers["retry-after"])
    unit, amount = limit.partition("/")[0], limit.partition("=")[2]
    assert answer.headers[f"x-ratelimit-limit-{unit}"] == amount
    assert int(answer.headers[f"x-ratelimit-remaining-{unit}"]) < int(amount)


def test_a_prompt_beyond_the_window(gateway: Gateway) -> None:
    with gateway.counting(5000):
        answer = gateway.chat({"model": "small", "messages": HI})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "context_length_exceeded")
    assert "5000" in error["message"]
    assert "4096" in error["message"]


def test_a_body_over_the_limit(gateway: Gateway) -> None:
    answer = gateway.chat({"model": "small", "messages": [{"role": "user", "content": "x" * 2**20}]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_hostile_body_is_a_bad_request_and_reaches_no_backend(gateway: Gateway, body: bytes) -> None:
    before = len(gateway.fake.requests)
    answer = gateway.chat(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value")
    assert CANARY not in answer.text
    assert len(gateway.fake.requests) == before


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/admin/tenants"])
@pytest.mark.parametrize("by", ["tenant", "admin"])
def test_a_method_that_a_path_does_not_take_is_told_to_who_has_a_key(gateway: Gateway, path: str, by: str) -> None:
    key = gateway.key() if by == "tenant" else ADMIN_KEY
    answer = gateway.http.request("DELETE", path, headers={"authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


def test_bugs_and_a_state_that_is_away_are_logged_once_and_refusals_never(caplog: pytest.LogCaptureFixture) -> None:
    assert wire_of(KeyError(CANARY), "req_1").code == "internal_error"
    assert wire_of(asyncio.InvalidStateError(), "req_2").status == 500
    assert wire_of(StateUnavailable("the state file cannot answer (SQLITE_FULL)"), "req_3").code == "state_unavailable"
    assert wire_of(NotFound(CANARY), "req_4").status == 404
    assert len(caplog.records) == 3
    assert "req_3 was refused: the state file cannot answer (SQLITE_FULL)" in caplog.messages[-1]
    assert CANARY not in caplog.text
