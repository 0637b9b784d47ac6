"""What one choice of a chunk says, as OpenAI's `delta` object, with the types that others rely on when they join it.

Knows nothing of streams and usage. Names that it does not know pass through as they are. What is wrong raises one of
`Reader.read`'s errors for a malformed chunk: TypeError, KeyError, AttributeError.
"""

from typing import Any

from serving.events import JSON

TEXTS = frozenset({"role", "content", "reasoning", "reasoning_content", "refusal"})  # strings or null


def chat_delta(choice: JSON) -> JSON:
    """What a choice of a chat says."""
    delta: JSON = choice["delta"]
    for name, value in delta.items():
        if name == "tool_calls":
            for call in value or ():
                _require_call(call)
        elif name in TEXTS:
            _require_text(value)
    if logprobs := choice.get("logprobs"):
        _require_lists(logprobs)
        for token in logprobs.get("content") or ():
            for entry in (token, *(token.get("top_logprobs") or ())):
                _require_text(entry["token"])
                _require_number(entry["logprob"])
    return delta


def text_delta(choice: JSON) -> JSON:
    """What a choice of a text completion says, as a chat would."""
    _require_text(choice["text"])
    if logprobs := choice.get("logprobs"):
        _require_lists(logprobs)
        for token in logprobs["tokens"]:
            if type(token) is not str:
                raise TypeError("a token is no string")
    return {"content": choice["text"]}


def token_ids(value: Any) -> tuple[int, ...]:
    """Ids as they came; what each is only the engine that gave them reads."""
    if type(value) is not list:
        raise TypeError("token ids are no list")
    return tuple(value)


def _require_call(call: JSON) -> None:
    if type(call.get("index", 0)) is not int:
        raise TypeError("the index of a tool call is no whole number")
    function = call.get("function") or {}
    for value in (call.get("id"), call.get("type"), function.get("name"), function.get("arguments")):
        _require_text(value)


def _require_lists(logprobs: JSON) -> None:
    for entries in logprobs.values():
        if type(entries) is not list and entries is not None:
            raise TypeError("logprobs are neither lists nor null")


def _require_text(value: Any) -> None:
    if type(value) is not str and value is not None:
        raise TypeError("a text is neither a string nor null")


def _require_number(value: Any) -> None:
    if type(value) not in (float, int):
        raise TypeError("a logprob is no number")
