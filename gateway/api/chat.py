"""POST /v1/chat/completions: how its requests are read and how its answers are written. Knows no socket and no clock.

Typed here is what the gateway acts on (messages, `prompt`, `stream`, `gateway`); every other field goes through the
positive list of `serving.fields`. Whether a model or a template exists is found out later.

Invariants: what is passed on was built from checked values, never copied from the client's bytes; the first chunk of a
choice carries its role and no later one does; what else holds for a stream is in `chunks.py`.

Request and answer: platform.openai.com/docs/api-reference/chat.
"""

from collections.abc import Mapping
from typing import Any

from gateway.api.body import Picked, checked, parse
from gateway.api.chunks import ChunkWriter, Json
from gateway.api.endpoint import Asked, Wanted
from gateway.api.messages import AnyMessage, Name, plain
from gateway.api.wire import (
    GatewayBody,
    PromptBody,
    StreamOptions,
    asker,
    countable,
    needs_messages,
    needs_model,
    needs_stream,
    passed_on,
)
from gateway.exchange import Options
from gateway.settings import Server
from serving.events import Choice, Delta


class ChatBody(Picked):
    """The fields that the gateway reads itself (`serving.fields.CHAT.handled`); the others are `passed_on`."""

    model: Name | None = None
    messages: list[AnyMessage] | None = None
    prompt: PromptBody | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    gateway: GatewayBody | None = None


def read_chat(body: bytes, limits: Server) -> Wanted:
    """Read the body of POST /v1/chat/completions. Raises InvalidValue; `param` names the field."""
    raw = parse(body, limits.max_depth)
    countable("messages", raw.get("messages"), limits.max_messages)
    chat = checked(ChatBody, raw)
    needs_messages(chat.messages, chat.prompt)
    needs_model(chat.model, chat.prompt)
    needs_stream(chat.stream_options, chat.stream)
    include_usage = bool(chat.stream_options and chat.stream_options.include_usage)
    asked = Asked(
        model=chat.model,
        fields=passed_on(raw),
        options=chat.gateway.options() if chat.gateway else Options(),
        messages=tuple(plain(message) for message in raw.get("messages") or ()),
        prompt=chat.prompt.ref() if chat.prompt else None,
        stream=chat.stream or False,
        conversation=asker(raw),
    )
    return Wanted(asked, lambda call: ChatWriter(call.request_id, include_usage))


class ChatWriter(ChunkWriter):
    """Writes one answer. It remembers which choices have been given their role."""

    prefix, whole_object, chunk_object = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def __init__(self, request_id: str, include_usage: bool) -> None:
        super().__init__(request_id, include_usage)
        self._begun: set[int] = set()

    def _choice(self, choice: Choice) -> Json:
        return {
            "index": choice.index,
            "message": choice.message,
            "logprobs": choice.logprobs,
            "finish_reason": choice.finish_reason,
            "stop_reason": choice.stop_reason,
        }

    def _piece(self, piece: Delta) -> Json:
        said = self._said(piece.index, piece.delta)
        return {"index": piece.index, "delta": said, "logprobs": piece.logprobs, "finish_reason": None}

    def _end(self, choice: Choice) -> Json:
        return {
            "index": choice.index,
            "delta": self._said(choice.index, {}),
            "logprobs": None,
            "finish_reason": choice.finish_reason,
            "stop_reason": choice.stop_reason,
        }

    def _said(self, index: int, delta: Mapping[str, Any]) -> Mapping[str, Any]:
        """The delta with the choice's role where it is the first, without one where it is not."""
        if index in self._begun and "role" not in delta:
            return delta
        role = {} if index in self._begun else {"role": "assistant"}
        self._begun.add(index)
        return role | {name: value for name, value in delta.items() if name != "role"}
