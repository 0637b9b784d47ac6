"""The texts of a request that guards look at, and the request with other texts in their places. Pure.

These are all messages but the assistant's, the variables of a template, a raw prompt and what is to be embedded. The
app's own system and developer messages are among them, for apps put their users' data there. An assistant's messages
are what a guard has let out before: one that was only flagged must not end its conversation. Roles are the app's to
set, its users choose none. Images, the tools' descriptions, schemas and tags are not looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gateway.exchange import Call, Message

Change = Callable[[str, str], str]  # of a text and the name of its field, to what shall stand there
_OWN = "assistant"
_NAMES = ("role", "type", "tool_call_id")  # words of the API, and ids that an engine made


def texts(call: Call) -> list[tuple[str, str]]:
    """The texts with their fields' names (`messages.0.content`), in order."""
    found: list[tuple[str, str]] = []

    def kept(text: str, field: str) -> str:
        found.append((text, field))
        return text

    changed(call, kept)
    return found


def changed(call: Call, change: Change) -> Call:
    """The call with each text as `change` has it; it is asked in the order of `texts`."""
    prompt = call.prompt
    return replace(
        call,
        messages=tuple(_message(one, f"messages.{at}", change) for at, one in enumerate(call.messages)),
        prompt=prompt and replace(prompt, variables=_of(prompt.variables, "prompt.variables", change)),
        text=None if call.text is None else change(call.text, "prompt"),
        inputs=tuple(change(one, f"input.{at}") for at, one in enumerate(call.inputs)),
    )


def _message(message: Message, field: str, change: Change) -> Message:
    if message.get("role") == _OWN:
        return message
    return {
        name: _parts(value, f"{field}.{name}", change) if name not in _NAMES else value
        for name, value in message.items()
    }


def _parts(content: Any, field: str, change: Change) -> Any:
    """A message's content: a text, or parts of which those that have a text are looked at."""
    if not isinstance(content, list | tuple):
        return _of(content, field, change)
    return [
        {**part, "text": change(part["text"], f"{field}.{at}.text")} if "text" in part else part
        for at, part in enumerate(content)
    ]


def _of(value: Any, field: str, change: Change) -> Any:
    """A JSON value: its texts, the names in its objects, and its numbers too, which may be those of a card."""
    if isinstance(value, str):
        return change(value, field)
    if isinstance(value, Mapping):
        return {change(name, field): _of(one, f"{field}.{name}", change) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_of(one, f"{field}.{at}", change) for at, one in enumerate(value)]
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
        instead = change(text, field)
        return value if instead == text else instead
    return value
