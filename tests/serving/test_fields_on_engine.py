"""The fields of a request as a real vLLM knows and takes them."""

from typing import Any

import httpx2
import pytest

from tests.serving.bounds import BOUNDS, TABLES, TOOL


@pytest.mark.parametrize("path", TABLES)
def test_every_field_of_the_engine_is_decided_on(path: str, engine_fields: dict[str, list[str]]) -> None:
    """A new vLLM with a new field fails here until the field is allowed with bounds, handled or refused."""
    table, known = TABLES[path], set(engine_fields[path])
    assert len(known) > 15
    assert known - table.fields.keys() - table.refused.keys() - table.handled == set()
    sent = {name for name, field in table.fields.items() if field.sent}
    assert sent - known <= {"max_completion_tokens"}  # the gateway names it as the engine does; others would be ignored


ASKS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/completions": {"prompt": "Hi"},
}


@pytest.mark.parametrize("path", ASKS)
def test_the_engine_accepts_what_is_allowed(path: str, engine: str) -> None:
    """Every allowed value, one field at a time, gets past vLLM's own validation."""
    extra: dict[str, dict[str, Any]] = {
        "top_logprobs": {"logprobs": True},
        "tool_choice": {"tools": [TOOL]},
        "n": {"temperature": 1},
    }
    ask = ASKS[path] | {"model": "tiny", "max_tokens": 1, "stream": True}
    beyond_this_model = {"max_tokens": 1_000_000, "max_completion_tokens": 1_000_000, "min_tokens": 1_000_000}
    refusals = []
    with httpx2.Client(trust_env=False, timeout=60) as client:
        for name, (inside, _) in BOUNDS[path].items():
            for value in inside:
                if value in ([], beyond_this_model.get(name)) or (name, value) == ("tool_choice", "none"):
                    continue
                body = ask | extra.get(name, {}) | {name: value}
                with client.stream("POST", f"{engine}{path}", json=body) as answer:
                    if answer.status_code != 200:
                        refusals.append((name, value, answer.read()[:300]))
    assert refusals == []
