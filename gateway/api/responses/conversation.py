"""From input items to the chat messages that they stand for. Knows neither bytes nor the rest of the request.

Invariant: what a model did in one turn (reasoned, said, called) is several items here and one message there, because
chat templates tell turns by their messages.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from gateway.api.responses.input import AnyPart, Called, Item, Reasoned, Returned, Said
from gateway.exchange import Message

Part = dict[str, Any]  # of a chat message's content


def conversation(items: Iterable[Item]) -> Iterator[Message]:
    """The chat messages of checked items."""
    for of_model, run in groupby(items, _of_model):
        if of_model:
            yield from _turn(list(run))
        else:
            yield from map(_from_outside, run)


def _of_model(item: Item) -> bool:
    return isinstance(item, (Reasoned, Called)) or (isinstance(item, Said) and item.role == "assistant")


def _from_outside(item: Item) -> Message:
    if isinstance(item, Returned):
        return {"role": "tool", "tool_call_id": item.call_id, "content": _content(_parts(item.output))}
    assert isinstance(item, Said)
    return {"role": item.role, "content": _content(_parts(item.content))}


def _turn(run: Sequence[Item]) -> Iterator[Message]:
    """One message; none of a turn that left nothing to hand on."""
    thoughts = [thought.text for item in run if isinstance(item, Reasoned) for thought in item.content or ()]
    said = [part for item in run if isinstance(item, Said) for part in _parts(item.content)]
    calls = [item.chat() for item in run if isinstance(item, Called)]
    if thoughts or said or calls:
        message: dict[str, Any] = {"role": "assistant", "content": _content(said) if said else None}
        yield message | _given("reasoning", "\n".join(thoughts)) | _given("tool_calls", calls)


def _given(name: str, value: Any) -> dict[str, Any]:
    return {name: value} if value else {}


def _parts(content: str | list[AnyPart]) -> list[Part]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [part.chat() for part in content]


def _content(parts: list[Part]) -> Any:
    """As plain as it can be: what is one text, whatever way it came, has the same answer in the cache."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return parts[0]["text"]
    return list(parts)
