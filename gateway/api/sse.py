"""An answer as OpenAI's server-sent events, bytes only. Knows no socket and no clock.

Invariants of one stream: `id`, `created` and `model` never change; the first chunk of a choice carries its role and no
later one does; its finish reason comes after its last text; the usage chunk comes only if asked for; the `gateway`
object rides on the last chunk before `[DONE]`. After an error there is no `[DONE]`.

Chunks and their order: platform.openai.com/docs/api-reference/chat-streaming; framing: the HTML standard, 9.2.6.
"""

from typing import Any

import orjson

from gateway.errors import Wire
from gateway.exchange import Closed
from serving.events import Choice, Delta, Start

KEEP_ALIVE = b": keep-alive\n\n"  # a comment: parsers skip it, proxies see life
DONE = b"data: [DONE]\n\n"

# Line breaks to Unicode, but not to this format. JSON may escape them, and then clients that split lines by Unicode's
# rules (httpx's aiter_lines, str.splitlines) read the stream as well.
_BREAKS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


def event(value: Any) -> bytes:
    """One event with `value` as JSON on one line, by anyone's idea of a line."""
    data = orjson.dumps(value, default=dict)
    for raw, escaped in _BREAKS:
        data = data.replace(raw, escaped)
    return b"data: " + data + b"\n\n"


def failure(wire: Wire) -> bytes:
    """The last event of a stream that broke."""
    return event(wire.body())


class Chunks:
    """Renders one stream. It remembers which choices have been given their role, nothing else."""

    def __init__(self, answer_id: str, start: Start, include_usage: bool) -> None:
        self._frame = {
            "id": answer_id,
            "object": "chat.completion.chunk",
            "created": start.created,
            "model": start.model,
            "system_fingerprint": start.fingerprint,
        }
        self._usage: dict[str, Any] = {"usage": None} if include_usage else {}
        self._begun: set[int] = set()

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
