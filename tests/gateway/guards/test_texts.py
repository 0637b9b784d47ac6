"""Which texts of a request are looked at, and what it is with others in their places."""

from dataclasses import replace

from gateway.exchange import PromptRef
from gateway.guards.texts import changed, texts
from tests.gateway.calls import call

IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
MESSAGES = (
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": [{"type": "text", "text": "look"}, IMAGE]},
    {"role": "assistant", "content": "said", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "content": "found", "tool_call_id": "1"},
    {"role": "user", "content": None},
    {"role": "user", "content": "ask", "name": "bob"},
)


def test_all_messages_but_the_assistants_are_looked_at() -> None:
    assert texts(call(messages=MESSAGES)) == [
        ("be kind", "messages.0.content"),
        ("look", "messages.1.content.0.text"),
        ("found", "messages.3.content"),
        ("ask", "messages.5.content"),
        ("bob", "messages.5.name"),
    ]


def test_all_that_variables_hold_is_looked_at() -> None:
    variables = {"question": "why", "rows": [{"n": 4111, "ok": True}, None, 1.5]}
    asked = call(None, prompt=PromptRef("answer", None, variables))
    assert texts(asked) == [
        ("question", "prompt.variables"),
        ("why", "prompt.variables.question"),
        ("rows", "prompt.variables"),
        ("n", "prompt.variables.rows.0"),
        ("4111", "prompt.variables.rows.0.n"),
        ("ok", "prompt.variables.rows.0"),
        ("1.5", "prompt.variables.rows.2"),
    ]


def test_raw_prompts_and_what_is_embedded_are_looked_at() -> None:
    assert texts(replace(call(None), text="once upon")) == [("once upon", "prompt")]
    assert texts(replace(call(None), inputs=("a", "b"))) == [("a", "input.0"), ("b", "input.1")]


def test_what_is_changed_stands_in_its_place_and_nothing_else_is() -> None:
    asked = call(messages=MESSAGES)
    upper = changed(asked, lambda text, field: text.upper())
    assert upper.messages[0] == {"role": "system", "content": "BE KIND"}
    assert upper.messages[1]["content"] == [{"type": "text", "text": "LOOK"}, IMAGE]
    assert upper.messages[2:5] == (MESSAGES[2], {"role": "tool", "content": "FOUND", "tool_call_id": "1"}, MESSAGES[4])
    assert replace(upper, messages=asked.messages) == asked
    assert changed(asked, lambda text, field: text) == asked


def test_a_number_stays_one_unless_it_is_changed() -> None:
    asked = call(None, prompt=PromptRef("answer", None, {"card": 4111, "n": 1}))
    left = changed(asked, lambda text, field: "[CARD]" if text == "4111" else text)
    assert left.prompt == PromptRef("answer", None, {"card": "[CARD]", "n": 1})
