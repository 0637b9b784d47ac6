"""Messages: every kind passes as it is, everything else is refused at its place."""

import json
from typing import Any

import pytest

from gateway.api.chat import read_chat
from gateway.errors import InvalidValue, Refusal
from gateway.exchange import Message
from gateway.settings import Server

CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def read(message: Any) -> Message:
    body = json.dumps({"model": "small", "messages": [message]}).encode()
    return read_chat(body, Server()).asked.messages[0]


def refused(message: Any) -> Refusal:
    with pytest.raises(InvalidValue) as error:
        read(message)
    return error.value


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": "Be brief.", "name": "ops"},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, PIXEL]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "content": "Well.", "reasoning": "Hm.", "refusal": "No."},
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
        {"role": "function", "content": None, "name": "look"},
    ],
)
def test_every_kind_of_message_passes_unchanged(message: dict[str, Any]) -> None:
    assert read(message) == message


def test_an_answer_that_openais_client_sends_back_is_taken_without_its_empty_fields() -> None:
    echo: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "audio": None}
    kept = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert read(echo | {"tool_calls": [CALL]}) == kept


def test_what_clients_add_to_an_answer_is_dropped() -> None:
    parsed = {**CALL, "function": {**CALL["function"], "parsed_arguments": {"city": "Bern"}}}
    said = {"role": "assistant", "content": "{}", "tool_calls": [CALL]}
    assert read(said | {"parsed": {}, "provider_specific_fields": {}, "tool_calls": [parsed]}) == said


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Hi", "messages[0]"),
        ({"content": "Hi"}, "messages[0]"),
        ({"role": "robot", "content": "Hi"}, "messages[0]"),
        ({"role": ["user"], "content": "Hi"}, "messages[0]"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": None}, "messages[0].content"),
        ({"role": "user", "content": 1}, "messages[0].content"),
        ({"role": "user", "content": "Hi", "extra": 1}, "messages[0].extra"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "messages[0].content[0]"),
        ({"role": "user", "content": [PIXEL, "Hi"]}, "messages[0].content[1]"),
        ({"role": "tool", "content": "42"}, "messages[0].tool_call_id"),
        ({"role": "assistant", "tool_calls": [{"id": "c1"}]}, "messages[0].tool_calls[0].type"),
        (
            {"role": "assistant", "tool_calls": [CALL | {"function": {"name": "look", "arguments": {}}}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
    ],
)
def test_a_wrong_message_is_refused_at_its_place(message: Any, param: str) -> None:
    assert refused(message).param == param


@pytest.mark.parametrize("url", ["https://example.org/cat.png", "http://169.254.169.254/", "file:///etc/passwd"])
def test_nothing_is_fetched_for_a_client(url: str) -> None:
    error = refused({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
    assert error.param == "messages[0].content[0].image_url.url"
    assert url not in error.message
