"""Anthropic's package against the Messages API: what it gives, what it raises, how often it asks."""

from typing import Any

import pytest

from tests.conformance.conftest import Client, Said, Service
from tests.conformance.scripts import CALLED, HARD, SAID

GAVE: dict[str, Any] = {
    "message": ["message", "assistant", ["text"], SAID, "end_turn", [True, 2]],
    "streamed": [SAID, SAID, "end_turn", 2],
    "events": ["message_start", "message_stop", 1, 1],
    "same_text_whatever_the_characters": "".join(HARD),
    "asynchronous": [SAID, SAID],
    "bearer": SAID,
    "tools": [CALLED, "tool_use"],
    "streamed_tools": CALLED,
    "tool_round": SAID,
    "thinking": [["thinking", "text"], "Two and two.", "Four"],
    "cut": "max_tokens",
    "counted": True,
    "engine_stop_sequence": ["max_tokens", "stop_sequence", True],
    "engine_count_is_the_usage": True,
    "strict": {"hello": ["gateway"], "tools": ["gateway"], "reason": ["gateway"], "cut": ["gateway"]},
    "headers": [True, True],
    "retried": SAID,
}
# case: class, status, type
RAISED = {
    "bad_request": ("BadRequestError", 400, "invalid_request_error"),
    "unauthenticated": ("AuthenticationError", 401, "authentication_error"),
    "not_allowed": ("PermissionDeniedError", 403, "permission_error"),
    "not_found": ("NotFoundError", 404, "not_found_error"),
    "body_too_large": ("ContentTooLargeError", 413, "request_too_large"),
    "rate_limited": ("RateLimitError", 429, "rate_limit_error"),
    "backend_down": ("InternalServerError", 502, "api_error"),
    "stream_breaks": ("APIStatusError", 200, "api_error"),  # the status that the stream began with
    "not_retried": ("BadRequestError", 400, "invalid_request_error"),
}
# script and case: how often the backend was asked
ASKED = {("hiccup", "hiccup"): 2, ("refused", "refused"): 1}


@pytest.fixture(scope="module")
def said(client: Client) -> Said:
    return client("anthropic")


@pytest.mark.parametrize("case", GAVE)
def test_it_gives(said: Said, case: str) -> None:
    assert said[case] == GAVE[case]


@pytest.mark.parametrize("case", RAISED)
def test_it_raises(said: Said, case: str) -> None:
    error = said[case]
    assert (error["class"], error["status_code"], error["type"]) == RAISED[case]
    assert error["request_id"].startswith("req_")


def test_what_came_before_the_error_of_a_stream_was_read(said: Said) -> None:
    assert said["stream_breaks"]["text"] == "Hello"


@pytest.mark.parametrize(("script", "case"), ASKED)
def test_it_asks_again_as_it_is_told(said: Said, service: Service, script: str, case: str) -> None:
    assert said
    assert service.asked(script, "anthropic", case) == ASKED[script, case]
