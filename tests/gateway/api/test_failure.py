"""Every row of the error table, over real sockets: with its status before the first byte, as an event after it."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam as User

from gateway.api.failure import wire_of
from gateway.errors import NotFound
from gateway.state import Hold, Limit, StateUnavailable
from gateway.state.open import open_state
from gateway.state.owners import owner
from tests.fakes.backend import FIN, HANG, JSON, RST, Script, piece, said, words
from tests.gateway.api.conftest import ADMIN_KEY, Gateway
from tests.gateway.api.hostile import BODIES, CANARY
from tests.gateway.waiting import waited

HI: list[User] = [{"role": "user", "content": "Hi"}]
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
    "no JSON": (STRUCTURED, Script(said("Hel")), 502, "output_invalid"),
    "not its schema": (STRUCTURED, Script(said('{"a": "1"}')), 502, "output_invalid"),
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
    with _tokens(gateway, 5000):
        answer = gateway.chat({"model": "small", "messages": HI})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "context_length_exceeded")
    assert "5000" in error["message"]
    assert "4096" in error["message"]


@contextmanager
def _tokens(gateway: Gateway, count: int) -> Iterator[None]:
    """The backend counts every prompt as this long."""
    usual = gateway.fake.answers["/tokenize"]
    counted = json.dumps({"count": count, "max_model_len": 4096, "tokens": [], "token_strs": None}).encode()
    gateway.fake.answers["/tokenize"] = Script((counted,), headers=JSON)
    try:
        yield
    finally:
        gateway.fake.answers["/tokenize"] = usual


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


@pytest.mark.parametrize(
    ("error", "limits", "change"),
    [
        (openai.BadRequestError, (), {"temperature": 3}),
        (openai.NotFoundError, (), {"model": "gpt"}),
        (openai.PermissionDeniedError, ("usd/day=1",), {"model": "unpriced"}),
        (openai.RateLimitError, ("requests/day=1",), {}),
        (openai.APIStatusError, ("tokens/request=1",), {}),
    ],
)
def test_openais_client_raises_its_own_classes(
    gateway: Gateway, error: type[openai.APIStatusError], limits: tuple[str, ...], change: dict[str, Any]
) -> None:
    client = gateway.openai(*limits)
    if limits == ("requests/day=1",):
        client.chat.completions.create(model="small", messages=HI)
    with pytest.raises(error) as raised:
        client.chat.completions.create(**{"model": "small", "messages": HI, **change})
    assert raised.value.request_id
    assert raised.value.request_id.startswith("req_")
    assert raised.value.code


def test_openais_client_sees_a_wrong_key_and_a_broken_stream(gateway: Gateway) -> None:
    with pytest.raises(openai.AuthenticationError):
        gateway.openai().with_options(api_key="tg_no_key").models.list()
    gateway.fake.plan(Script((*words("Hel"), RST)))
    stream = gateway.openai().chat.completions.create(model="small", messages=HI, stream=True)
    assert next(stream).choices[0].delta.content == "Hel"
    with pytest.raises(openai.APIError) as raised:
        next(stream)
    assert raised.value.code == "backend_unavailable"


# What OpenAI's own client makes of an answer, allowed two retries: limits, request, the backend's scripts, statuses.
CUT = Script(said("Hel", finish="length"))
Obeyed = tuple[tuple[str, ...], dict[str, Any], tuple[Script, ...], list[int]]
OBEYED: dict[str, Obeyed] = {
    "a full backend is asked again": ((), {}, (FULL,), [503, 200]),
    "one that stays full is given up": ((), {}, (FULL, FULL, FULL), [503, 503, 503]),
    "a cut answer is not paid for again": ((), {"gateway": {"on_length": "error"}}, (CUT,), [502]),
    "a budget that is too small stays so": (("tokens/day=10",), {}, (), [413]),
}


@pytest.mark.parametrize("obeyed", OBEYED.values(), ids=OBEYED)
def test_openais_client_tries_as_often_as_it_is_told(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, obeyed: Obeyed
) -> None:
    limits, extra, scripts, statuses = obeyed
    gateway.fake.plan(*scripts)
    client = gateway.openai(*limits).with_options(max_retries=2)
    with attempts(caplog, len(statuses)) as seen, suppress(openai.APIStatusError):
        client.chat.completions.create(model="small", messages=HI, extra_body=extra)
    assert seen == statuses


def test_openais_client_gives_up_on_a_days_budget(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    client = gateway.openai("requests/day=1").with_options(max_retries=2)
    with attempts(caplog, 2) as seen:
        client.chat.completions.create(model="small", messages=HI)
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="small", messages=HI)
    assert seen == [200, 429]


def test_openais_client_waits_until_a_minute_has_room(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    tenant, limit = gateway.tenant("requests/minute=1"), Limit("requests", "minute", 1)
    key = gateway.admin("POST", "/keys", json={"tenant": tenant}).json()["key"]
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=1, http_client=gateway.http)

    async def spend(ago: float) -> None:
        """As a neighbour on the same state would have."""
        state = await open_state(gateway.runtime.settings.state.url)
        at = state.clock.now() - ago
        await state.budgets.hold(Hold("before", tenant, "k", owner(), {"requests": 1}, (limit,), (), at))
        await state.close()

    asyncio.run(spend(ago=55.0))
    with attempts(caplog, 2) as seen:
        client.chat.completions.create(model="small", messages=HI)
    assert seen == [429, 200]


@contextmanager
def attempts(caplog: pytest.LogCaptureFixture, least: int) -> Iterator[list[int]]:
    """The statuses of the chat requests that came within the block, once there are so many."""
    caplog.set_level(logging.INFO, "tollgate.access")
    caplog.clear()
    statuses: list[int] = []
    yield statuses

    def lines() -> list[dict[str, Any]]:
        said = [json.loads(record.getMessage()) for record in caplog.records if record.name == "tollgate.access"]
        return [line for line in said if line["path"] == "/v1/chat/completions"]

    waited(lambda: len(lines()) >= least)
    statuses += [line["status"] for line in lines()]


def test_bugs_and_a_state_that_is_away_are_logged_once_and_refusals_never(caplog: pytest.LogCaptureFixture) -> None:
    assert wire_of(KeyError(CANARY), "req_1").code == "internal_error"
    assert wire_of(asyncio.InvalidStateError(), "req_2").status == 500
    assert wire_of(StateUnavailable("the state file cannot answer (SQLITE_FULL)"), "req_3").code == "state_unavailable"
    assert wire_of(NotFound(CANARY), "req_4").status == 404
    assert len(caplog.records) == 3
    assert "req_3 was refused: the state file cannot answer (SQLITE_FULL)" in caplog.messages[-1]
    assert CANARY not in caplog.text
