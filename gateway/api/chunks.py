"""An answer whole or as OpenAI's chunks: what chat and the older completions have in common. Knows no socket.

Invariants of one stream: `id`, `created` and `model` never change; a choice's finish reason comes after its last text;
the usage chunk comes only if asked for; the `gateway` object rides on the last chunk before `[DONE]`. After an error
there is no `[DONE]`.

Chunks and their order: platform.openai.com/docs/api-reference/chat-streaming; stop_reason is vLLM's.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from gateway.api.sse import DONE, event, failure, line
from gateway.errors import Wire
from gateway.exchange import Closed, Opened
from serving.events import Choice, Delta, Deltas

Json = dict[str, Any]


class ChunkWriter(ABC):
    """Writes one answer. What a choice looks like is an API's own."""

    prefix: ClassVar[str]  # of the answer's id
    whole_object: ClassVar[str]
    chunk_object: ClassVar[str]

    def __init__(self, request_id: str, include_usage: bool) -> None:
        self._id = f"{self.prefix}-{request_id}"
        self._usage: Json = {"usage": None} if include_usage else {}
        self._frame: Json = {}
        self._before = self._after = b""  # what is around the choice of each chunk

    @abstractmethod
    def _choice(self, choice: Choice) -> Json:
        """One choice of a whole answer."""

    @abstractmethod
    def _piece(self, piece: Delta) -> Json:
        """What a choice says next."""

    @abstractmethod
    def _end(self, choice: Choice) -> Json:
        """The last that a choice says: why it ended."""

    def whole(self, opened: Opened, closed: Closed) -> Json:
        return {
            **self._framed(opened, self.whole_object),
            "choices": [self._choice(choice) for choice in closed.completion.choices],
            "usage": closed.usage.openai(),
            "gateway": closed.gateway,
        }

    def opening(self, opened: Opened) -> bytes:
        """Nothing is sent yet. A stream has thousands of chunks, so what they have in common is written once."""
        self._frame = self._framed(opened, self.chunk_object)
        before, _, after = event(self._chunk([])).rpartition(b"[]")
        self._before, self._after = before + b"[", b"]" + after
        return b""

    def deltas(self, said: Deltas) -> bytes:
        """A chunk for each piece."""
        return b"".join([self._before + line(self._piece(piece)) + self._after for piece in said.pieces])

    def closing(self, closed: Closed) -> bytes:
        """Everything after the last piece: finish reasons, usage if asked for, the `gateway` object, `[DONE]`."""
        chunks = [self._chunk([self._end(choice)]) for choice in closed.completion.choices]
        if self._usage:
            chunks.append(self._chunk([]) | {"usage": closed.usage.openai()})
        chunks[-1]["gateway"] = closed.gateway
        return b"".join(map(event, chunks)) + DONE

    def failure(self, wire: Wire) -> bytes:
        return failure(wire)

    def _framed(self, opened: Opened, kind: str) -> Json:
        start = opened.start
        return {
            "id": self._id,
            "object": kind,
            "created": start.created,
            "model": start.model,
            "system_fingerprint": start.fingerprint,
        }

    def _chunk(self, choices: list[Json]) -> Json:
        return {**self._frame, "choices": choices, **self._usage}
