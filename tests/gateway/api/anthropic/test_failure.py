"""Every row of the error table in Anthropic's shape: with its status before the first byte, as an event after it."""

from typing import Any

import pytest

from gateway import errors
from gateway.api.anthropic.failure import refusal
from gateway.errors import Refusal, Wire
from tests.fakes.backend import FIN, HANG, RST, Script, said, words
from tests.gateway.api.anthropic.accumulated import events
from tests.gateway.api.anthropic.conftest import BODY, Ask
from tests.gateway.api.conftest import Gateway
from tests.gateway.api.hostile import BODIES, CANARY
from tests.gateway.api.test_failure import ROWS, Row

INVALID = "invalid_request_error"
TYPES: dict[type[Refusal], str] = {
    errors.Unauthenticated: "authentication_error",
    errors.NotAllowed: "permission_error",
    errors.NotFound: "not_found_error",
    errors.InvalidValue: INVALID,
    errors.ContextLengthExceeded: INVALID,
    errors.RequestTooLarge: "request_too_large",
    errors.BodyTooLarge: "request_too_large",
    errors.UnsupportedEncoding: INVALID,
    errors.BodyTooSlow: INVALID,
    errors.WrongMethod: INVALID,
    errors.StillRunning: "conflict_error",
    errors.KeyReused: INVALID,
    errors.NotKept: "conflict_error",
    errors.RateLimited: "rate_limit_error",
    errors.BudgetExceeded: "rate_limit_error",
    errors.CacheOnly: "timeout_error",
    errors.Overloaded: "overloaded_error",
    errors.Unavailable: "api_error",
    errors.TimedOut: "timeout_error",
    errors.Unready: "overloaded_error",
    errors.OutputTruncated: "api_error",
    errors.OutputInvalid: "api_error",
    errors.ContentFilter: INVALID,
}


def test_the_table_is_whole() -> None:
    assert set(TYPES) == set(Refusal.__subclasses__())


@pytest.mark.parametrize(("failure", "kind"), TYPES.items(), ids=[failure.__name__ for failure in TYPES])
def test_every_refusal_has_its_type(failure: type[Refusal], kind: str) -> None:
    wire = Wire.of(failure("Lower max_completion_tokens."), "req_1")
    assert refusal(wire, "req_1") == {
        "type": "error",
        "error": {"type": kind, "message": "Lower max_tokens.", "details": {"error_code": wire.code}},
        "request_id": "req_1",
    }


def test_a_bug_tells_nothing_but_its_request() -> None:
    error = refusal(Wire.of(ZeroDivisionError("secret"), "req_1"), "req_1")["error"]
    assert (error["type"], error["details"]) == ("api_error", {"error_code": "internal_error"})
    assert "secret" not in error["message"]
    assert "req_1" in error["message"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_before_the_first_byte_a_failure_has_its_status(gateway: Gateway, ask: Ask, row: Row, stream: bool) -> None:
    extra, limits, script, status, _, code = row
    gateway.fake.plan(*([script] if script else []))
    answer = ask(gateway.key(*limits), stream=stream, **extra)
    body = answer.json()
    assert (answer.status_code, body["type"], body["error"]["details"]["error_code"]) == (status, "error", code)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["request-id"] == answer.headers["x-request-id"] == body["request_id"]
    assert answer.headers["x-should-retry"] in ("true", "false")


@pytest.mark.parametrize(
    ("limit", "code", "retry"),
    [("requests/minute=1", "rate_limit_exceeded", "true"), ("tokens/day=40", "budget_exceeded", "false")],
)
def test_a_used_up_limit(gateway: Gateway, ask: Ask, limit: str, code: str, retry: str) -> None:
    key = gateway.key(limit)
    answer = [ask(key, gateway={"cache": "skip"}) for _ in range(2)][-1]
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (429, "rate_limit_error")
    assert (error["details"]["error_code"], answer.headers["x-should-retry"]) == (code, retry)
    assert int(answer.headers["retry-after"]) >= 1


SCHEMA = {"type": "json_schema", "schema": {"type": "object", "required": ["a"]}}
# What the request adds, what the backend does; the status when nothing was sent yet, the type, the code.
Late = tuple[dict[str, Any], Script, int, str, str]
LATE: dict[str, Late] = {
    "reset": ({}, Script((*words("Hel"), RST)), 502, "api_error", "backend_unavailable"),
    "closed early": ({}, Script((*words("Hel"), FIN)), 502, "api_error", "backend_unavailable"),
    "stalled": ({"model": "hasty"}, Script((*words("Hel"), HANG)), 504, "timeout_error", "backend_timeout"),
    "cut by length": (
        {"gateway": {"on_length": "error"}},
        Script(said("Hel", finish="length")),
        502,
        "api_error",
        "output_truncated",
    ),
    "not its schema": (
        {"output_config": {"format": SCHEMA}, "gateway": {"on_stop": {"invalid": "error"}}},
        Script(said("{}")),
        502,
        "api_error",
        "output_invalid",
    ),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_after_the_first_byte_a_failure_is_one_event_without_an_end(gateway: Gateway, ask: Ask, late: Late) -> None:
    extra, script, status, kind, code = late
    gateway.fake.plan(script, script)
    whole, stream = ask(**extra), ask(**extra, stream=True)
    assert (whole.status_code, stream.status_code) == (status, 200)
    *before, last = events(stream.content)
    assert [event["type"] for event in before] == ["message_start", "content_block_start", "content_block_delta"]
    assert (last["error"]["type"], last["error"]["details"]["error_code"]) == (kind, code)
    assert last == whole.json() | {"request_id": stream.headers["request-id"]}


def test_a_cut_answer_is_told_what_to_raise_by_its_name_here(gateway: Gateway, ask: Ask) -> None:
    gateway.fake.plan(Script(said("Hel", finish="length")))
    assert "Raise max_tokens," in ask(gateway={"on_length": "error"}).json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_hostile_body_is_a_bad_request_and_reaches_no_backend(gateway: Gateway, path: str, body: bytes) -> None:
    before = len(gateway.fake.requests)
    answer = gateway.http.post(path, headers={"x-api-key": gateway.key()}, content=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, INVALID)
    assert CANARY not in answer.text
    assert len(gateway.fake.requests) == before


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_without_a_key_nothing_is_answered_and_with_one_only_a_post(gateway: Gateway, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS"):
        for header in ({}, {"x-api-key": "tg_0_0"}, {"authorization": "Bearer x"}):
            answer = gateway.http.request(method, path, headers=header, json=BODY)
            assert answer.status_code == 401
            assert method == "HEAD" or answer.json()["error"]["type"] == "authentication_error"
    refused = gateway.http.get(path, headers={"x-api-key": gateway.key()})
    assert (refused.status_code, refused.json()["error"]["type"]) == (405, INVALID)


@pytest.mark.parametrize("path", ["/v1/messages/", "/v1/messages/batches", "/v1/messages/count_tokens/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_there_below_an_endpoint_is_told_in_its_shape(gateway: Gateway, method: str, path: str) -> None:
    answer = gateway.http.request(method, path, headers={"x-api-key": gateway.key()})
    assert (answer.status_code, answer.json()["type"]) == (404, "error")
    assert (answer.json()["error"]["type"], answer.json()["request_id"]) == (
        "not_found_error",
        answer.headers["request-id"],
    )


def test_what_only_begins_like_an_endpoint_is_not_below_it(gateway: Gateway) -> None:
    assert gateway.http.get("/v1/messages2").json()["error"]["code"] == "not_found"


def test_a_body_over_the_limit(ask: Ask) -> None:
    answer = ask(system="x" * 2**20)
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")
