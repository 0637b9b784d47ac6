"""The packages for Node: OpenAI's own and Vercel's AI SDK."""

from typing import Any

import pytest

from tests.conformance.conftest import Client, Service
from tests.conformance.scripts import CALLED, HARD, SAID, UNREAD, WEATHER

GAVE: dict[str, dict[str, Any]] = {
    "node-openai": {
        "buffered": [SAID, "stop", 2],
        "streamed": SAID,
        "same_text_whatever_the_characters": "".join(HARD),
        "streamed_with_usage": [[2], 2],
        "stream_helper": UNREAD,
        "tools": UNREAD,
        "tool_round": SAID,
        "parsed": WEATHER,
        "request_id": [True, True],
        "models": ["hasty", "small", "tiny"],
        "retried": SAID,
    },
    "node-ai-sdk": {
        "generated": [SAID, "stop", 2],
        "streamed": [SAID, "stop", 2],
        "same_text_whatever_the_characters": "".join(HARD),
        "tools": CALLED,
        "streamed_tools": CALLED,
        "tool_round": [2, SAID],
        "reasoning": ["Two and two.", "Four"],
        "structured": WEATHER,
        "openai_generated": SAID,
        "openai_streamed": SAID,
        "openai_tools": CALLED,
        "openai_streamed_tools": CALLED,
        "anthropic_generated": SAID,
        "anthropic_streamed": SAID,
        "anthropic_tools": CALLED,
        "anthropic_streamed_tools": CALLED,
        "stream_breaks": ["Hello", 1],
        "retried": SAID,
        "not_retried": True,
    },
}
# client and case: class, status, type, code
RAISED = {
    ("node-openai", "unauthenticated"): ("AuthenticationError", 401, "invalid_request_error", "invalid_api_key"),
    ("node-openai", "unknown_model"): ("NotFoundError", 404, "invalid_request_error", "model_not_found"),
    ("node-openai", "backend_down"): ("InternalServerError", 502, "api_error", "backend_unavailable"),
    ("node-openai", "stream_breaks"): ("APIError", None, "api_error", "backend_unavailable"),
    ("node-ai-sdk", "unknown_model"): ("APICallError", 404, None, None),
}


@pytest.mark.parametrize(("who", "case"), [(who, case) for who, cases in GAVE.items() for case in cases])
def test_it_gives(client: Client, who: str, case: str) -> None:
    assert client(who)[case] == GAVE[who][case]


@pytest.mark.parametrize(("who", "case"), RAISED)
def test_it_raises(client: Client, who: str, case: str) -> None:
    error = client(who)[case]
    assert (error["class"], error["status_code"], error["type"], error["code"]) == RAISED[who, case]


@pytest.mark.parametrize("who", GAVE)
def test_it_asks_again(client: Client, service: Service, who: str) -> None:
    assert client(who)
    assert service.asked("hiccup", who, "hiccup") == 2
