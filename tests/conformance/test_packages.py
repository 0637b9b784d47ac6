"""Packages that apps build on, each as it is used: what it gives, what it raises, how often it asks."""

from typing import Any

import pytest

from tests.conformance.conftest import Client, Service
from tests.conformance.scripts import CALLED, SAID, UNREAD, VECTORS, WEATHER

GAVE: dict[str, dict[str, Any]] = {
    "langchain": {
        "invoked": [SAID, "stop", 2, True],
        "streamed": SAID,
        "streamed_with_usage": [SAID, 2],
        "batched": [SAID] * 3,
        "asynchronous": [SAID, SAID],
        "tools": CALLED,
        "streamed_tools": CALLED,
        "tool_round": SAID,
        "structured_by_schema": WEATHER,
        "structured_by_tool": WEATHER,
        "structured_by_mode": WEATHER,
        "likely": ["Hello", " you"],
        "by_the_responses_api": [SAID, SAID, CALLED],
        "embedded": VECTORS,
        "retried": SAID,
        "engine": True,
    },
    "instructor": {
        "by_tool": WEATHER,
        "by_schema": WEATHER,
        "by_json": WEATHER,
        "by_anthropic": WEATHER,
        "partly_streamed": WEATHER,
        "with_the_completion": ["Bern", True],
        "asynchronous": WEATHER,
        "asks_again_and_gives_up": "InstructorRetryException",
    },
    "litellm": {
        "buffered": [SAID, "stop", 2],
        "streamed": [SAID, ["stop"]],
        "streamed_with_usage": [SAID, 2],
        "asynchronous": SAID,
        "tools": UNREAD,
        "streamed_tools": UNREAD,
        "tool_round": SAID,
        "reasoning": ["Two and two.", "Four"],
        "embedded": VECTORS[0],
        "retried": SAID,
    },
    "llama-index": {
        "chatted": SAID,
        "streamed": SAID,
        "asynchronous": SAID,
        "tools": CALLED,
        "structured": WEATHER,
    },
}
# client and case: class, status
RAISED = {
    ("langchain", "unknown_model"): ("OpenAIModelNotFoundError", 404),
    ("langchain", "too_long"): ("OpenAIContextOverflowError", 400),
    ("langchain", "stream_breaks"): ("APIError", None),
    ("litellm", "unauthenticated"): ("AuthenticationError", 401),
    ("litellm", "unknown_model"): ("NotFoundError", 404),
    ("litellm", "too_long"): ("ContextWindowExceededError", 400),
    ("litellm", "backend_down"): ("BadGatewayError", 502),
}
# client, script and case: how often the backend was asked
ASKED = {
    ("langchain", "hiccup", "hiccup"): 2,
    ("litellm", "hiccup", "hiccup"): 2,
    ("instructor", "as-tool", "again"): 1,  # the second time the last word is a tool's
}


@pytest.mark.parametrize(("who", "case"), [(who, case) for who, cases in GAVE.items() for case in cases])
def test_it_gives(client: Client, who: str, case: str) -> None:
    assert client(who)[case] == GAVE[who][case]


@pytest.mark.parametrize(("who", "case"), RAISED)
def test_it_raises(client: Client, who: str, case: str) -> None:
    error = client(who)[case]
    assert (error["class"], error["status_code"]) == RAISED[who, case]


@pytest.mark.parametrize(("who", "script", "case"), ASKED)
def test_it_asks_again(client: Client, service: Service, who: str, script: str, case: str) -> None:
    assert client(who)
    assert service.asked(script, who, case) == ASKED[who, script, case]
