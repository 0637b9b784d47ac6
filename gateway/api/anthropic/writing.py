"""POST /v1/messages: how an answer is written, whole or as events. Knows no socket and no clock.

    message_start { content_block_start content_block_delta* content_block_stop }* message_delta message_stop

Invariants of one stream: one block is open at a time, and their indexes count up; each event has its type as its name;
whole usage and the `gateway` object ride on `message_delta`. A failure is an `error` event, and nothing follows it.

An answer is one choice, for there is no `n` here. Events: platform.claude.com/docs/en/build-with-claude/streaming.
"""

from collections.abc import Mapping
from typing import Any

from gateway.api.anthropic.answer import SIGNATURE, content, stopped, thinking, usage
from gateway.api.anthropic.failure import refusal
from gateway.api.sse import event
from gateway.errors import Wire
from gateway.exchange import Closed, Opened
from serving.events import Delta, Usage


class MessageWriter:
    """Writes one answer. It remembers which block is open, and the text that is to be said after it."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._model = ""
        self._begun = False
        self._open: str | None = None  # the type of the open block
        self._index = -1  # of the newest block
        self._calls: dict[int, int] = {}  # the engine's number of a tool call: its block's index
        self._held = ""

    def whole(self, opened: Opened, closed: Closed) -> dict[str, Any]:
        """Anthropic's Message (platform.claude.com/docs/en/api/messages) with the `gateway` object beside."""
        self._model, choice = opened.start.model, closed.completion.choices[0]
        message = self._message(content(choice.message), closed.usage)
        return message | stopped(choice) | {"gateway": closed.gateway}

    def opening(self, opened: Opened) -> bytes:
        """Nothing yet: `message_start` tells the tokens of the input, which are known with the first piece."""
        self._model = opened.start.model
        return b""

    def delta(self, piece: Delta) -> bytes:
        """The events of one piece."""
        said = self._begin(piece.usage or Usage())
        if thought := thinking(piece.delta):
            said += self._enter("thinking", thinking="", signature="")
            said += self._add(self._index, "thinking_delta", thinking=thought)
        if piece.text:
            said += self._text(piece.text)
        for call in piece.delta.get("tool_calls") or ():
            said += self._call(call)
        return said

    def closing(self, closed: Closed) -> bytes:
        """Everything after the last piece."""
        why, used = stopped(closed.completion.choices[0]), usage(closed.usage)
        begun = self._begin(closed.usage) + self._leave()
        return begun + _event("message_delta", delta=why, usage=used, gateway=closed.gateway) + _event("message_stop")

    def failure(self, wire: Wire) -> bytes:
        return event(refusal(wire, self._request_id), "error")

    def _begin(self, so_far: Usage) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return _event("message_start", message=self._message([], so_far))

    def _text(self, text: str) -> bytes:
        """Text amid a call waits for the call's end: some tool parsers say the last of the arguments after it."""
        if self._open == "tool_use":
            self._held += text
            return b""
        return self._enter("text", text="") + self._add(self._index, "text_delta", text=text)

    def _call(self, call: Mapping[str, Any]) -> bytes:
        """A fragment of a tool call: the first has its id and name. The engine says one call after another."""
        number, function, begun = int(call.get("index", 0)), call.get("function") or {}, b""
        if number not in self._calls:
            begun = self._leave()
            begun += self._enter("tool_use", id=call.get("id"), name=function.get("name"), input={})
            self._calls[number] = self._index
        if arguments := function.get("arguments"):
            return begun + self._add(self._calls[number], "input_json_delta", partial_json=arguments)
        return begun

    def _enter(self, kind: str, **empty: Any) -> bytes:
        """Start a block of this type, unless such a one is open."""
        if kind == self._open:
            return b""
        left = self._leave()
        self._open, self._index = kind, self._index + 1
        return left + _event("content_block_start", index=self._index, content_block={"type": kind, **empty})

    def _add(self, index: int, kind: str, **more: str) -> bytes:
        return _event("content_block_delta", index=index, delta={"type": kind, **more})

    def _leave(self) -> bytes:
        """Stop the open block, if there is one, and say what waited for its end."""
        if self._open is None:
            return b""
        signed = self._add(self._index, "signature_delta", signature=SIGNATURE) if self._open == "thinking" else b""
        self._open, held, self._held = None, self._held, ""
        stop = signed + _event("content_block_stop", index=self._index)
        return stop + self._text(held) + self._leave() if held else stop

    def _message(self, blocks: list[dict[str, Any]], so_far: Usage) -> dict[str, Any]:
        return {
            "id": f"msg_{self._request_id}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": blocks,
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage(so_far),
        }


def _event(kind: str, **more: Any) -> bytes:
    return event({"type": kind, **more}, kind)
