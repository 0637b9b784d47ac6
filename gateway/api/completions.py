"""POST /v1/completions: raw prompts, as the engines' older API has it, read and answered. Knows no socket and no clock.

No chat template renders a prompt here, and no template of the library writes it. Of several each is a call of its own
(`gateway/together.py`). Invariants of one stream: `chunks.py`.

Request and answer: platform.openai.com/docs/api-reference/completions.
"""

from itertools import accumulate
from typing import Any

from gateway.api.body import Picked, checked, parse
from gateway.api.chunks import ChunkWriter, Json
from gateway.api.endpoint import Asked, Wanted
from gateway.api.messages import Name
from gateway.api.wire import GatewayBody, StreamOptions, needs_stream, passed_on
from gateway.errors import InvalidValue
from gateway.exchange import Options
from gateway.settings import Server
from serving.events import Choice, Delta
from serving.fields import COMPLETIONS

MOST_PROMPTS = 20  # what langchain-openai sends at once
_ON_CHAT = "Only /v1/chat/completions takes it."


class CompletionBody(Picked):
    """The fields that the gateway reads itself (`serving.fields.COMPLETIONS.handled`), but for the prompt."""

    model: Name
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    gateway: GatewayBody | None = None


def read_completion(body: bytes, limits: Server) -> Wanted:
    """Read the body of POST /v1/completions. Raises InvalidValue; `param` names the field."""
    raw = parse(body, limits.max_depth)
    wanted = checked(CompletionBody, raw)
    needs_stream(wanted.stream_options, wanted.stream)
    fields = passed_on(raw, COMPLETIONS)
    text, *more = _prompts(raw.get("prompt"))
    if more and wanted.stream:
        raise InvalidValue("A stream answers one prompt: send a request for each, or no stream.", param="prompt")
    include_usage = bool(wanted.stream_options and wanted.stream_options.include_usage)
    asked = Asked(wanted.model, fields, _options(wanted.gateway), text=text, stream=wanted.stream or False)
    return Wanted(asked, lambda call: CompletionWriter(call.request_id, include_usage), tuple(more))


def _prompts(value: Any) -> list[str]:
    """At least one."""
    match [value] if isinstance(value, str) else value:
        case [str(), *_] as texts if len(texts) > MOST_PROMPTS:
            fault = f"prompt has {len(texts)} prompts; at most {MOST_PROMPTS} are taken at once."
        case [str(), *_] as texts if all(isinstance(text, str) and text for text in texts):
            return texts
        case [int() | list(), *_]:
            fault = "prompt has token ids; the gateway speaks text, so send the text."
        case dict():
            fault = f"prompt names a prompt of the library. {_ON_CHAT}"
        case _:
            fault = "prompt must be a string or a list of strings, none of them empty."
    raise InvalidValue(fault, param="prompt")


def _options(gateway: GatewayBody | None) -> Options:
    if gateway is None:
        return Options()
    if gateway.retrieve:
        raise InvalidValue(f"gateway.retrieve has no place in a raw prompt. {_ON_CHAT}", param="gateway.retrieve")
    if gateway.semantic:
        raise InvalidValue(
            f"gateway.semantic compares questions, and a raw prompt names none. {_ON_CHAT}", param="gateway.semantic"
        )
    return gateway.options()


class CompletionWriter(ChunkWriter):
    """Writes one answer. It remembers how long each choice is, for the offsets of its tokens."""

    prefix, whole_object, chunk_object = "cmpl", "text_completion", "text_completion"

    def __init__(self, request_id: str, include_usage: bool) -> None:
        super().__init__(request_id, include_usage)
        self._lengths: dict[int, int] = {}

    def _choice(self, choice: Choice) -> Json:
        text, logprobs = str(choice.message.get("content") or ""), self._placed(choice.index, choice.logprobs)
        return _said(choice.index, text, logprobs, choice.finish_reason) | {"stop_reason": choice.stop_reason}

    def _piece(self, piece: Delta) -> Json:
        return _said(piece.index, piece.text, self._placed(piece.index, piece.logprobs), None)

    def _end(self, choice: Choice) -> Json:
        return _said(choice.index, "", None, choice.finish_reason) | {"stop_reason": choice.stop_reason}

    def _placed(self, index: int, logprobs: Any) -> Any:
        """The same with offsets into the whole answer: an answer that is continued begins again in the engine."""
        if not logprobs:
            return None
        *offsets, end = accumulate(map(len, logprobs["tokens"]), initial=self._lengths.get(index, 0))
        self._lengths[index] = end
        return {**logprobs, "text_offset": offsets}


def _said(index: int, text: str, logprobs: Any, finish_reason: str | None) -> Json:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}
