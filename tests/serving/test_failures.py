"""Every status of a backend has its error."""

import json

import pytest

from serving.errors import BackendError, BackendOverloaded, BackendRejected, BackendUnavailable
from tests.fakes.backend import JSON, Script
from tests.fakes.client import failing

ERROR = {"error": {"message": "no such thing", "type": "BadRequestError", "param": "body.temperature", "code": 400}}
QUOTING = (
    "1 validation error:\n  {'type': 'list_type', 'loc': 'body.x', 'msg': 'Input should be a list', 'input': 'SECRET'}"
)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, json.dumps(ERROR).encode(), BackendRejected),
        (413, b"", BackendRejected),
        (422, b"<html>", BackendRejected),
        (501, b"{}", BackendRejected),
        (401, b'{"error":"Unauthorized"}', BackendUnavailable),
        (403, b"", BackendUnavailable),
        (404, json.dumps(ERROR).encode(), BackendUnavailable),
        (405, b"", BackendUnavailable),
        (301, b"", BackendUnavailable),
        (204, b"", BackendUnavailable),
        (500, json.dumps(ERROR).encode(), BackendUnavailable),
        (502, b"", BackendUnavailable),
        (429, b"", BackendOverloaded),
        (503, b'{"error":{"message":"full","type":"Service Unavailable","code":503}}', BackendOverloaded),
    ],
)
def test_every_status_has_its_error(status: int, body: bytes, kind: type[BackendError]) -> None:
    error, events = failing(Script((body,) if body else (), status, JSON))
    assert type(error) is kind
    assert error.backend == "b"
    assert events == []


def test_a_rejection_carries_message_and_param() -> None:
    error, _ = failing(Script((json.dumps(ERROR).encode(),), 400, JSON))
    assert isinstance(error, BackendRejected)
    assert (error.message, error.param, error.status) == ("no such thing", "temperature", 400)


def test_a_rejection_does_not_quote_the_input() -> None:
    body = json.dumps({"error": {"message": QUOTING, "param": "body.x"}}).encode()
    error, _ = failing(Script((body,), 400, JSON))
    assert error.message == "Input should be a list"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1e9", 120.0),
        ("inf", None),
        ("1e999", None),
        ("nan", None),
        ("-1", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_overload_tells_when_to_come_back(told: str, seconds: float | None) -> None:
    error, _ = failing(Script(status=503, headers={"retry-after": told}))
    assert isinstance(error, BackendOverloaded)
    assert error.retry_after == seconds
