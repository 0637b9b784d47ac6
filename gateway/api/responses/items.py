"""The items of an output: each knows what it is so far, and which events tell of its growth. Knows no other item.

Invariant: an item is added before anything is said of it, and what its last event shows is what its deltas said.

Items and events: platform.openai.com/docs/api-reference/responses/object and .../responses-streaming.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

Event = dict[str, Any]  # but for its sequence number
Status = Literal["in_progress", "completed", "incomplete"]
Logprobs = Sequence[Mapping[str, Any]]


class Item(ABC):
    """One item of the output, at its place there."""

    prefix: ClassVar[str]  # of its id

    def __init__(self, request_id: str, output_index: int) -> None:
        self.id, self.output_index = f"{self.prefix}_{request_id}_{output_index}", output_index
        self.status: Status = "in_progress"

    @abstractmethod
    def body(self) -> dict[str, Any]:
        """The item as it stands, as OpenAI has it."""

    @abstractmethod
    def begin(self) -> Iterator[Event]: ...

    @abstractmethod
    def end(self, status: Status) -> Iterator[Event]: ...

    def _whole(self, kind: Literal["added", "done"]) -> Event:
        return {"type": f"response.output_item.{kind}", "output_index": self.output_index, "item": self.body()}

    def _event(self, kind: str, **facts: Any) -> Event:
        return {"type": f"response.{kind}", "item_id": self.id, "output_index": self.output_index} | facts


class Text(Item):
    """An item of one part, a text; its only difference from another is what it is called and what stands beside it."""

    kind: ClassVar[str]  # of its part and of the events of that

    def __init__(self, request_id: str, output_index: int) -> None:
        super().__init__(request_id, output_index)
        self._parts: list[dict[str, Any]] = []  # none until it is done: a delta grows what `begin` announced
        self._said: list[str] = []
        self._logprobs: list[Mapping[str, Any]] = []

    def begin(self) -> Iterator[Event]:
        yield self._whole("added")
        yield self._event("content_part.added", content_index=0, part=self._part("", ()))

    def grow(self, text: str, logprobs: Logprobs) -> Iterator[Event]:
        self._said.append(text)
        self._logprobs += logprobs
        yield self._event(f"{self.kind}.delta", content_index=0, delta=text, **self._beside(logprobs))

    def end(self, status: Status) -> Iterator[Event]:
        self.status, text = status, "".join(self._said)
        self._parts = [self._part(text, self._logprobs)]
        yield self._event(f"{self.kind}.done", content_index=0, text=text, **self._beside(self._logprobs))
        yield self._event("content_part.done", content_index=0, part=self._parts[0])
        yield self._whole("done")

    def _part(self, text: str, logprobs: Logprobs) -> dict[str, Any]:
        return {"type": self.kind, "text": text, **self._beside(logprobs)}

    def _beside(self, logprobs: Logprobs) -> dict[str, Any]:
        """What each mention of the text carries."""
        return {}


class Message(Text):
    prefix, kind = "msg", "output_text"

    def body(self) -> dict[str, Any]:
        item = {"id": self.id, "type": "message", "status": self.status, "role": "assistant"}
        return {**item, "content": self._parts}

    def _part(self, text: str, logprobs: Logprobs) -> dict[str, Any]:
        return super()._part(text, logprobs) | {"annotations": []}

    def _beside(self, logprobs: Logprobs) -> dict[str, Any]:
        return {"logprobs": list(logprobs)}


class Reasoning(Text):
    """The model's reasoning as it is, so that there is no summary."""

    prefix, kind = "rs", "reasoning_text"

    def body(self) -> dict[str, Any]:
        return {"id": self.id, "type": "reasoning", "status": self.status, "summary": [], "content": self._parts}


class Call(Item):
    """A function that the model calls; the engine names it once and sends the arguments in pieces."""

    prefix = "fc"

    def __init__(self, request_id: str, output_index: int) -> None:
        super().__init__(request_id, output_index)
        self._call_id = self._name = ""
        self._arguments: list[str] = []

    def name(self, piece: Mapping[str, Any]) -> None:
        self._call_id = self._call_id or piece.get("id") or self.id
        self._name += (piece.get("function") or {}).get("name") or ""

    def begin(self) -> Iterator[Event]:
        yield self._whole("added")

    def grow(self, arguments: str) -> Iterator[Event]:
        self._arguments.append(arguments)
        yield self._event("function_call_arguments.delta", delta=arguments)

    def end(self, status: Status) -> Iterator[Event]:
        self.status = status
        yield self._event("function_call_arguments.done", name=self._name, arguments="".join(self._arguments))
        yield self._whole("done")

    def body(self) -> dict[str, Any]:
        item = {"id": self.id, "type": "function_call", "status": self.status, "call_id": self._call_id}
        return {**item, "name": self._name, "arguments": "".join(self._arguments)}
