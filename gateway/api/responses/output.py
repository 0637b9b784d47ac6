"""The output of one response as it grows, piece by piece. Knows no request and no bytes.

A whole answer is one that grew in a single piece, so streamed and buffered answers have the same items.

Invariants: items stand in the order of their first piece. A text is done as soon as something else begins; calls are
done only at the end, because an engine may take turns between several.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from gateway.api.responses.items import Call, Event, Item, Logprobs, Message, Reasoning, Text
from serving.events import Delta

Kind = TypeVar("Kind", bound=Item)


class Output:
    """The items so far."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._items: list[Item] = []
        self._calls: dict[int, Call] = {}
        self._latest: Item | None = None

    def add(self, piece: Delta) -> Iterator[Event]:
        """The events of one piece. Older vLLMs and other engines call the reasoning `reasoning_content`."""
        said = piece.delta
        if reasoning := said.get("reasoning") or said.get("reasoning_content"):
            yield from self._say(Reasoning, str(reasoning), ())
        if piece.text:
            yield from self._say(Message, piece.text, _logprobs(piece.logprobs))
        for position, part in enumerate(said.get("tool_calls") or ()):
            yield from self._call(int(part.get("index", position)), part)

    def end(self, *, cut: bool) -> Iterator[Event]:
        """The events of the end; what an answer was about to say when it was `cut` is incomplete."""
        for item in self._items:
            if item.status == "in_progress":
                yield from item.end("incomplete" if cut and item is self._latest else "completed")

    def bodies(self) -> list[dict[str, Any]]:
        return [item.body() for item in self._items]

    def _say(self, kind: type[Text], text: str, logprobs: Logprobs) -> Iterator[Event]:
        item = self._latest
        if not isinstance(item, kind):
            yield from self._leave()
            item = self._new(kind)
            yield from item.begin()
        yield from item.grow(text, logprobs)

    def _call(self, index: int, part: Mapping[str, Any]) -> Iterator[Event]:
        call = self._calls.get(index)
        if call is None:
            yield from self._leave()
            call = self._calls[index] = self._new(Call)
            call.name(part)
            yield from call.begin()
        self._latest = call
        if arguments := (part.get("function") or {}).get("arguments"):
            yield from call.grow(arguments)

    def _leave(self) -> Iterator[Event]:
        """A text is over when something else begins."""
        if isinstance(self._latest, Text):
            yield from self._latest.end("completed")

    def _new(self, kind: type[Kind]) -> Kind:
        item = kind(self._request_id, len(self._items))
        self._items.append(item)
        self._latest = item
        return item


def _logprobs(given: Any) -> Logprobs:
    """Chat's and these are the same, but for bytes that chat may leave out."""
    return [
        {**_entry(token), "top_logprobs": [_entry(other) for other in token.get("top_logprobs") or ()]}
        for token in (given or {}).get("content") or ()
    ]


def _entry(token: Mapping[str, Any]) -> dict[str, Any]:
    return {"token": token["token"], "bytes": token.get("bytes") or [], "logprob": token["logprob"]}
