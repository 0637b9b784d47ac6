"""POST /v1/messages: how an answer is written, whole or as events. Knows no socket and no clock.

    message_start { content_block_start content_block_delta* content_block_stop }* message_delta message_stop

Invariants of one stream: one block is open at a time, and their indexes count up; each event has its type as its name;
whole usage and the `gateway` object ride on `message_delta`. A failure is an `error` event, and nothing follows it.

An answer is one choice, for there is no `n` here. Events: platform.claude.com/docs/en/build-with-claude/streaming.
"""

from typing import Any

from gateway.api.anthropic.answer import SIGNATURE, content, stopped, thinking, usage
from gateway.api.anthropic.calls import Fragment, InTurn, arguments, number
from gateway.api.anthropic.failure import refusal
from gateway.api.sse import event
from gateway.errors import Wire
from gateway.exchange import Closed, Opened
from serving.events import Delta, Deltas, Usage

# A block of words before its first one.
EMPTY = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}


class MessageWriter:
    """Writes one answer. It remembers which block is open, and what is to be said after it."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._model = ""
        self._begun = False
        self._open: str | None = None  # the type of the open block
        self._index = -1  # of the newest block
        self._calls = InTurn()
        self._call_number: int | None = None  # the engine's, of the newest call
        self._held: list[tuple[str, str]] = []  # kind and text

    def whole(self, opened: Opened, closed: Closed) -> dict[str, Any]:
        """Anthropic's Message (platform.claude.com/docs/en/api/messages) with the `gateway` object beside."""
        self._model, choice = opened.start.model, closed.completion.choices[0]
        message = self._message(content(choice.message), closed.usage)
        return message | stopped(choice, closed.gateway) | {"gateway": closed.gateway}

    def opening(self, opened: Opened) -> bytes:
        """Nothing yet: `message_start` tells the tokens of the input, which are known with the first piece."""
        self._model = opened.start.model
        return b""

    def deltas(self, said: Deltas) -> bytes:
        return self._begin(said.usage or Usage()) + b"".join(map(self._delta, said.pieces))

    def _delta(self, piece: Delta) -> bytes:
        """The events of one piece."""
        said = b""
        if thought := thinking(piece.delta):
            said += self._say("thinking", thought)
        if piece.text:
            said += self._say("text", piece.text)
        for fragment in piece.delta.get("tool_calls") or ():
            said += b"".join(map(self._call, self._calls.add(fragment)))
        return said

    def closing(self, closed: Closed) -> bytes:
        """Everything after the last piece."""
        why, used = stopped(closed.completion.choices[0], closed.gateway), usage(closed.usage)
        said = self._begin(closed.usage) + b"".join(map(self._call, self._calls.rest())) + self._leave()
        return said + _event("message_delta", delta=why, usage=used, gateway=closed.gateway) + _event("message_stop")

    def failure(self, wire: Wire) -> bytes:
        return event(refusal(wire, self._request_id), "error")

    def _begin(self, so_far: Usage) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return _event("message_start", message=self._message([], so_far))

    def _say(self, kind: str, text: str) -> bytes:
        """Text amid a call waits for the call's end: some tool parsers say the last of the arguments after it."""
        if self._open == "tool_use":
            self._held.append((kind, text))
            return b""
        return self._enter(kind, **EMPTY[kind]) + self._add(f"{kind}_delta", **{kind: text})

    def _call(self, fragment: Fragment) -> bytes:
        """A fragment of a tool call: the first has its id and name."""
        begun = b""
        if number(fragment) != self._call_number:
            function, self._call_number = fragment.get("function") or {}, number(fragment)
            begun = self._leave()
            begun += self._enter("tool_use", id=fragment.get("id"), name=function.get("name"), input={})
        given = arguments(fragment)
        return begun + (self._add("input_json_delta", partial_json=given) if given else b"")

    def _enter(self, kind: str, **empty: Any) -> bytes:
        """Start a block of this type, unless such a one is open."""
        if kind == self._open:
            return b""
        left = self._leave()
        self._open, self._index = kind, self._index + 1
        return left + _event("content_block_start", index=self._index, content_block={"type": kind, **empty})

    def _add(self, kind: str, **more: str) -> bytes:
        return _event("content_block_delta", index=self._index, delta={"type": kind, **more})

    def _leave(self) -> bytes:
        """Stop the open block, if there is one, and say what waited for its end."""
        if self._open is None:
            return b""
        signed = self._add("signature_delta", signature=SIGNATURE) if self._open == "thinking" else b""
        self._open, held, self._held = None, self._held, []
        stop = signed + _event("content_block_stop", index=self._index)
        return stop + b"".join(self._say(*words) for words in held) + self._leave()

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
