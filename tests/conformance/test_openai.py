"""OpenAI's package, the last 2.x and 3.x, has to find nothing to tell the gateway from OpenAI."""

import re
from typing import Any

import pytest

from tests.conformance.conftest import Client, Said, Service
from tests.conformance.scripts import HARD, SAID, UNREAD, VECTORS, WEATHER

LIKELY = [["Hello", -0.5, 2], [" you", -0.5, 2]]
STREAM = {"text": SAID, "roles": ["assistant"], "finishes": ["stop"], "heads": 1, "empty": [], "usages": []}

GAVE: dict[str, Any] = {
    "buffered": ["chat.completion", "assistant", SAID, "stop", [True, 2, 2]],
    "streamed": STREAM,
    "streamed_with_usage": [SAID, 1, True, [], 2],
    "same_text_whatever_the_characters": ["".join(HARD)] * 2,
    "stream_helper": [2, 1, SAID],
    "leaving_a_stream": SAID,
    "asynchronous": [[SAID] * 5, SAID],
    "parsed": WEATHER,
    "parsed_stream": WEATHER,
    "tool": [UNREAD[:1], "tool_calls", None],
    "parallel_tools": UNREAD,
    "streamed_tools": UNREAD,
    "stream_helper_tools": [2, UNREAD],
    "parsed_tool": [True],
    "tool_round": [SAID] * 2,
    "reasoning": ["Two and two.", "Four", "Two and two."],
    "logprobs": [LIKELY, LIKELY],
    "two_choices": [[SAID] * 2] * 2,
    "models": [["hasty", "small", "tiny"], True, "small"],
    "retries_a_hiccup": SAID,
    "retries_a_stream_that_has_not_begun": SAID,
    "retries_when_it_was_told": [SAID, True],
    "engine_buffered": [True, "length", 8],
    "engine_streams_the_same": True,
    "engine_stops_at_a_string": ["stop", True],
    "engine_logprobs": [[3, True]] * 8,
    "engine_two_choices": [[0, 1], True],
    "engine_parsed": True,
    "engine_named_tool": ["Switch", "{"],
    "completed": ["text_completion", "length", 6, True],
    "completion_streams_the_same": [True, 1, []],
    "completion_streams_usage": [[], 6, 1],
    "completion_choices": [0, 1],
    "completion_logprobs": [6, 6, True],
    "completion_stops": ["stop", True],
    "embedded": [VECTORS, True, [0, 1]],
    "embedding_counts_tokens": [2, 2],
    "response": ["response", "completed", SAID, 2],
    "response_of_messages": SAID,
    "response_streamed": ["response.created", "response.completed", SAID, True],
    "response_stream_helper": SAID,
    "response_asynchronous": SAID,
    "response_parsed": WEATHER,
    "response_tools": UNREAD,
    "response_streamed_tools": [UNREAD, True],
    "response_tool_round": SAID,
    "response_reasoned": [["Two and two."], "Four"],
    "response_stream_breaks": [True, False],
}

# case: class, status, type, code, param
RAISED: dict[str, tuple[str, int | None, str | None, str | None, str | None]] = {
    "bad_request": ("BadRequestError", 400, "invalid_request_error", "invalid_value", "temperature"),
    "bad_request_of_the_engine": ("BadRequestError", 400, "invalid_request_error", "invalid_value", None),
    "bad_request_before_a_stream": ("BadRequestError", 400, "invalid_request_error", "invalid_value", "logit_bias"),
    "engine_sees_no_images": ("BadRequestError", 400, "invalid_request_error", "invalid_value", "messages"),
    "completion_refused": ("BadRequestError", 400, "invalid_request_error", "invalid_value", "temperature"),
    "response_refused": ("BadRequestError", 400, "invalid_request_error", "invalid_value", "temperature"),
    "response_that_needs_a_store": (
        "BadRequestError",
        400,
        "invalid_request_error",
        "invalid_value",
        "previous_response_id",
    ),
    "embedding_of_an_unknown_model": ("NotFoundError", 404, "invalid_request_error", "model_not_found", "model"),
    "too_long": ("BadRequestError", 400, "invalid_request_error", "context_length_exceeded", "messages"),
    "unauthenticated": ("AuthenticationError", 401, "invalid_request_error", "invalid_api_key", None),
    "not_allowed": ("PermissionDeniedError", 403, "permission_error", "not_allowed", "model"),
    "not_found": ("NotFoundError", 404, "invalid_request_error", "model_not_found", "model"),
    "body_too_large": ("APIStatusError", 413, "invalid_request_error", "body_too_large", None),
    "request_too_large": ("APIStatusError", 413, "invalid_request_error", "request_too_large", None),
    "rate_limited": ("RateLimitError", 429, "rate_limit_error", "rate_limit_exceeded", None),
    "budget_exceeded_is_not_retried": ("RateLimitError", 429, "insufficient_quota", "budget_exceeded", None),
    "backend_down": ("InternalServerError", 502, "api_error", "backend_unavailable", None),
    "backend_full": ("InternalServerError", 503, "overloaded_error", "overloaded", None),
    "backend_timeout": ("InternalServerError", 504, "api_error", "backend_timeout", None),
    "client_timeout": ("APITimeoutError", None, None, None, None),
    "no_connection": ("APIConnectionError", None, None, None, None),
    "stream_breaks": ("APIError", None, "api_error", "backend_unavailable", None),
    "engine_fails_in_a_stream": ("APIError", None, "api_error", "backend_unavailable", None),
    "engine_hangs_in_a_stream": ("APIError", None, "api_error", "backend_timeout", None),
    "gives_up_after_two_retries": ("InternalServerError", 502, "api_error", "backend_unavailable", None),
    "does_not_retry_a_bad_request": ("BadRequestError", 400, "invalid_request_error", "invalid_value", None),
    "does_not_retry_what_was_told_not_to": (
        "InternalServerError",
        502,
        "api_error",
        "output_truncated",
        "max_completion_tokens",
    ),
}

# script and name of the case: how often the backend was asked
ASKED = {
    ("hiccup", "hiccup"): 2,
    ("hiccup", "stream"): 2,
    ("full", "full"): 2,
    ("down", "down"): 3,
    ("refused", "refused"): 1,
    ("cut", "cut"): 1,
}


@pytest.fixture(scope="module", params=["openai-2", "openai-3"])
def who(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def said(client: Client, who: str) -> Said:
    return client(who)


def test_it_is_the_package_that_is_meant(said: Said, who: str) -> None:
    assert f"openai-{said['version']}" == who


@pytest.mark.parametrize("case", GAVE)
def test_it_gives(said: Said, case: str) -> None:
    assert said[case] == GAVE[case]


@pytest.mark.parametrize("case", RAISED)
def test_it_raises(said: Said, case: str) -> None:
    error = said[case]
    assert (error["class"], error["status_code"], error["type"], error["code"], error["param"]) == RAISED[case]
    assert error["status_code"] is None or error["request_id"].startswith("req_")


@pytest.mark.parametrize("case", ["stream_breaks", "engine_fails_in_a_stream", "engine_hangs_in_a_stream"])
def test_what_came_before_the_error_of_a_stream_was_read(said: Said, case: str) -> None:
    assert said[case]["text"] == "Hello"


@pytest.mark.parametrize(("script", "case"), ASKED)
def test_it_retries_as_it_is_told(said: Said, service: Service, who: str, script: str, case: str) -> None:
    assert service.asked(script, who, case) == ASKED[script, case]


LIMITS = {"x-ratelimit-limit-requests": "100000", "x-ratelimit-limit-tokens": "10000000"}
COMMON = {"x-cache": "miss", "x-content-type-options": "nosniff", **LIMITS}
BUFFERED = {"content-type": "application/json", "x-cost-usd": "0.000017000", **COMMON}
STREAMED: dict[str, Any] = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
    "last": "data: [DONE]",
    "others": [],
    **COMMON,
}


@pytest.mark.parametrize(("case", "expected"), [("raw_headers", BUFFERED), ("raw_stream_headers", STREAMED)])
def test_the_headers_of_an_answer(said: Said, case: str, expected: dict[str, Any]) -> None:
    headers = said[case]
    assert {name: headers[name] for name in expected} == expected
    assert headers["x-request-id"].startswith("req_")
    assert int(headers["openai-processing-ms"]) >= 0
    assert 0 < int(headers["x-ratelimit-remaining-requests"]) < 100_000
    assert 0 < int(headers["x-ratelimit-remaining-tokens"]) < 10_000_000
    for unit in ("requests", "tokens"):
        assert re.fullmatch(r"(\d+m)?\d+m?s", headers[f"x-ratelimit-reset-{unit}"])


def test_the_package_finds_the_request_id(said: Said) -> None:
    headers = said["raw_headers"]
    assert headers["_request_id"] == headers["x-request-id"]
