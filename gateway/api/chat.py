"""POST /v1/chat/completions: how an answer is written (how a request is read: `wire.py`). Knows no socket and no clock.

Invariants of one stream: `id`, `created` and `model` never change; the first chunk of a choice carries its role and no
later one does; its finish reason comes after its last text; the usage chunk comes only if asked for; the `gateway`
object rides on the last chunk before `[DONE]`. After an error there is no `[DONE]`.

Chunks and their order: platform.openai.com/docs/api-reference/chat-streaming.
"""

from typing import Any

from gateway.api.sse import DONE, event, failure
from gateway.errors import Wire
from gateway.exchange import Closed, Opened
from serving.events import Choice, Delta


class ChatWriter:
    """Writes one answer. It remembers which choices have been given their role, nothing else."""

    def __init__(self, request_id: str, include_usage: bool) -> None:
        self._id = f"chatcmpl-{request_id}"
        self._usage: dict[str, Any] = {"usage": None} if include_usage else {}
        self._frame: dict[str, Any] = {}
        self._begun: set[int] = set()

    def whole(self, opened: Opened, closed: Closed) -> dict[str, Any]:
        """OpenAI's chat.completion (platform.openai.com/docs/api-reference/chat/object); stop_reason is vLLM's."""
        return {
            **self._framed(opened, "chat.completion"),
            "choices": [_choice(choice) for choice in closed.completion.choices],
            "usage": closed.usage.openai(),
            "gateway": closed.gateway,
        }

    def opening(self, opened: Opened) -> bytes:
        self._frame = self._framed(opened, "chat.completion.chunk")
        return b""

    def delta(self, piece: Delta) -> bytes:
        """The chunk of one piece."""
        choice = {
            "index": piece.index,
            "delta": self._role(piece.index) | {k: v for k, v in piece.delta.items() if k != "role"},
            "logprobs": piece.logprobs,
            "finish_reason": None,
        }
        return event(self._chunk([choice]))

    def closing(self, closed: Closed) -> bytes:
        """Everything after the last piece: finish reasons, usage if asked for, the `gateway` object, `[DONE]`."""
        chunks = [self._chunk([self._finish(choice)]) for choice in closed.completion.choices]
        if self._usage:
            chunks.append(self._chunk([]) | {"usage": closed.usage.openai()})
        chunks[-1]["gateway"] = closed.gateway
        return b"".join(map(event, chunks)) + DONE

    def failure(self, wire: Wire) -> bytes:
        return failure(wire)

    def _framed(self, opened: Opened, kind: str) -> dict[str, Any]:
        start = opened.start
        return {
            "id": self._id,
            "object": kind,
            "created": start.created,
            "model": start.model,
            "system_fingerprint": start.fingerprint,
        }

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self._frame, "choices": choices, **self._usage}

    def _finish(self, choice: Choice) -> dict[str, Any]:
        return {
            "index": choice.index,
            "delta": self._role(choice.index),
            "logprobs": None,
            "finish_reason": choice.finish_reason,
            "stop_reason": choice.stop_reason,
        }

    def _role(self, index: int) -> dict[str, Any]:
        if index in self._begun:
            return {}
        self._begun.add(index)
        return {"role": "assistant"}


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "index": choice.index,
        "message": choice.message,
        "logprobs": choice.logprobs,
        "finish_reason": choice.finish_reason,
        "stop_reason": choice.stop_reason,
    }
