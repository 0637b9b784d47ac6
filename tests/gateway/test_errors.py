"""Every class of the two trees to its row of the contract's table; what is outside the trees tells nothing."""

import pytest

from gateway import errors
from gateway.errors import Refusal, Wire
from gateway.state import StateUnavailable
from serving.errors import (
    BackendBroken,
    BackendError,
    BackendOverloaded,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
)

ROWS = [
    # class, status, type, code, whether an automatic retry helps
    (errors.Unauthenticated, 401, "invalid_request_error", "invalid_api_key", False),
    (errors.NotAllowed, 403, "permission_error", "not_allowed", False),
    (errors.NotFound, 404, "invalid_request_error", "not_found", False),
    (errors.InvalidValue, 400, "invalid_request_error", "invalid_value", False),
    (errors.ContextLengthExceeded, 400, "invalid_request_error", "context_length_exceeded", False),
    (errors.RequestTooLarge, 413, "invalid_request_error", "request_too_large", False),
    (errors.BodyTooLarge, 413, "invalid_request_error", "body_too_large", False),
    (errors.UnsupportedEncoding, 415, "invalid_request_error", "unsupported_encoding", False),
    (errors.BodyTooSlow, 408, "invalid_request_error", "body_timeout", True),
    (errors.WrongMethod, 405, "invalid_request_error", "method_not_allowed", False),
    (errors.StillRunning, 409, "invalid_request_error", "idempotency_in_progress", True),
    (errors.KeyReused, 422, "invalid_request_error", "idempotency_key_reused", False),
    (errors.NotKept, 409, "invalid_request_error", "idempotency_answer_not_kept", False),
    (errors.RateLimited, 429, "rate_limit_error", "rate_limit_exceeded", True),
    (errors.BudgetExceeded, 429, "insufficient_quota", "budget_exceeded", False),
    (errors.CacheOnly, 504, "api_error", "not_cached", False),
    (errors.Overloaded, 503, "overloaded_error", "overloaded", True),
    (errors.Unavailable, 502, "api_error", "backend_unavailable", True),
    (errors.TimedOut, 504, "api_error", "backend_timeout", True),
    (errors.Unready, 503, "overloaded_error", "state_unavailable", True),
    (errors.ContentFilter, 400, "invalid_request_error", "content_filter", False),
    (errors.OutputTruncated, 502, "api_error", "output_truncated", False),
    (errors.OutputInvalid, 502, "api_error", "output_invalid", False),
]


@pytest.mark.parametrize(("kind", "status", "type_", "code", "retry"), ROWS)
def test_a_refusal_has_its_row(kind: type[Refusal], status: int, type_: str, code: str, retry: bool) -> None:
    wire = Wire.of(kind("Do this.", param="model"), "r1")
    assert (wire.status, wire.type, wire.code, wire.retry) == (status, type_, code, retry)
    assert wire.body() == {"error": {"message": "Do this.", "type": type_, "param": "model", "code": code}}
    assert wire.headers()["x-should-retry"] == ("true" if retry else "false")


def test_the_table_is_whole() -> None:
    tree = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Refusal)}
    assert tree - {Refusal} == {row[0] for row in ROWS}
    assert all(f" {kind.__name__} " in (errors.__doc__ or "") for kind in tree - {Refusal})


@pytest.mark.parametrize(
    ("error", "status", "code", "words"),
    [
        (BackendRejected("b", "temperature is negative", 422, "temperature"), 400, "invalid_value", "temperature is n"),
        (BackendOverloaded("b", "full", 7.0), 503, "overloaded", "full"),
        (BackendTimeout("b", "first_token", 30.0), 504, "backend_timeout", "no first token within 30 s"),
        (BackendBroken("b", "inner detail"), 502, "backend_unavailable", "broke off"),
        (BackendUnavailable("b", "inner detail"), 502, "backend_unavailable", "No backend"),
        (BackendError("b", "inner detail"), 502, "backend_unavailable", "No backend"),
    ],
)
def test_a_backends_failure_has_its_row_and_keeps_its_details(
    error: BackendError, status: int, code: str, words: str
) -> None:
    wire = Wire.of(error, "r1")
    assert (wire.status, wire.code) == (status, code)
    assert words in wire.message
    assert "inner detail" not in wire.message
    assert wire.param == getattr(error, "param", None)


def test_every_backend_error_is_translated() -> None:
    assert {kind.__name__ for kind in BackendError.__subclasses__()} == {
        "BackendUnavailable", "BackendOverloaded", "BackendTimeout", "BackendRejected", "BackendBroken",
    }  # fmt: skip


def test_a_store_that_is_away_is_told_as_such_and_not_as_a_bug() -> None:
    wire = Wire.of(StateUnavailable("the state file cannot answer (SQLITE_FULL)"), "r1")
    assert (wire.status, wire.code, wire.retry) == (503, "state_unavailable", True)
    assert "SQLITE" not in wire.message


@pytest.mark.parametrize("bug", [KeyError("secret"), AssertionError("secret"), TypeError("secret")])
def test_a_bug_is_a_500_with_the_request_id_and_no_details(bug: Exception) -> None:
    wire = Wire.of(bug, "r1")
    assert (wire.status, wire.type, wire.code, wire.retry) == (500, "api_error", "internal_error", False)
    assert "r1" in wire.message
    assert "secret" not in str(wire.body())


@pytest.mark.parametrize(
    ("after", "seconds", "milliseconds"),
    [(0.25, "1", "250"), (1.4, "2", "1400"), (0.0001, "1", "1"), (40, "40", "40000"), (0, "1", "1")],
)
def test_a_time_to_wait_is_told_in_both_units(after: float, seconds: str, milliseconds: str) -> None:
    headers = Wire.of(errors.RateLimited("Wait.", retry_after=after), "r1").headers()
    assert (headers["retry-after"], headers["retry-after-ms"]) == (seconds, milliseconds)


def test_what_may_be_retried_says_when_though_its_raiser_does_not() -> None:
    assert Wire.of(errors.Overloaded("Full."), "r1").headers()["retry-after"] == "1"
    assert "retry-after" not in Wire.of(errors.InvalidValue("Wrong."), "r1").headers()


def test_a_budgets_reset_is_told_though_a_retry_does_not_help() -> None:
    headers = Wire.of(errors.BudgetExceeded("Gone.", retry_after=3600), "r1").headers()
    assert (headers["retry-after"], headers["x-should-retry"]) == ("3600", "false")


def test_an_unknown_caller_is_told_how_to_authenticate() -> None:
    assert Wire.of(errors.Unauthenticated("No key."), "r1").headers()["www-authenticate"] == "Bearer"
