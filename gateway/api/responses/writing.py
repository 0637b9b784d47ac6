"""How a response is written, whole and as a stream. Knows no socket and no clock.

Invariants of one stream: every event has a type, on its `event:` line too, and the next sequence number; `created` and
`in_progress` come first; `completed` or `incomplete` comes last and carries the same response that a buffered call
gets, with the `gateway` object; after an `error` nothing follows.

The object and its events: platform.openai.com/docs/api-reference/responses/object and .../responses-streaming.
"""

from collections.abc import Mapping
from itertools import chain, count
from typing import Any

from gateway.api.responses.items import Event
from gateway.api.responses.names import told
from gateway.api.responses.output import Output
from gateway.api.sse import event
from gateway.errors import Wire
from gateway.exchange import Closed, Opened
from serving.events import Delta, Deltas, Usage

# What a response tells of its request, and what it tells where the request said nothing.
ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
# Why a response is incomplete, by the finish reason; OpenAI has no word for what was ended because it repeated itself.
INCOMPLETE = {
    "length": "max_output_tokens",
    "repetition": "max_output_tokens",
    "content_filter": "content_filter",
}
STATELESS = {"background": False, "conversation": None, "previous_response_id": None, "store": False}


class ResponseWriter:
    """Writes one answer to the request whose fields are `asked`."""

    def __init__(self, request_id: str, asked: Mapping[str, Any]) -> None:
        self._id, self._asked = f"resp_{request_id}", asked
        self._output = Output(request_id)
        self._frame: dict[str, Any] = {}
        self._numbers = count()

    def whole(self, opened: Opened, closed: Closed) -> dict[str, Any]:
        self._frame = self._framed(opened)
        choice = closed.completion.choices[0]
        piece = Delta(choice.index, choice.message, choice.logprobs)
        for _ in chain(self._output.add(piece), self._output.end(cut=_cut(closed) is not None)):
            pass  # nobody hears of its growth
        return self._ended(closed)

    def opening(self, opened: Opened) -> bytes:
        self._frame = self._framed(opened)
        return b"".join(self._lifecycle(status, self._response("in_progress")) for status in ("created", "in_progress"))

    def deltas(self, said: Deltas) -> bytes:
        return b"".join(self._event(facts) for piece in said.pieces for facts in self._output.add(piece))

    def closing(self, closed: Closed) -> bytes:
        ends = b"".join(map(self._event, self._output.end(cut=_cut(closed) is not None)))
        response = self._ended(closed)
        return ends + self._lifecycle(response["status"], response)

    def failure(self, wire: Wire) -> bytes:
        """OpenAI's error event has the facts beside its type; its clients raise for those under `error`."""
        body = told(wire).body()
        facts = {name: body["error"][name] for name in ("code", "message", "param")}
        return self._event({"type": "error", **facts, **body})

    def _ended(self, closed: Closed) -> dict[str, Any]:
        cut = _cut(closed)
        return self._response(
            "incomplete" if cut else "completed",
            incomplete_details={"reason": cut} if cut else None,
            output=self._output.bodies(),
            usage=_usage(closed.usage),
            gateway=closed.gateway,
        )

    def _framed(self, opened: Opened) -> dict[str, Any]:
        start = opened.start
        frame = {"id": self._id, "object": "response", "created_at": start.created, "model": start.model}
        echo = {name: value for name in ECHOED if (value := self._asked.get(name)) is not None}
        return {**frame, "error": None, **ECHOED, **echo, **STATELESS}

    def _response(self, status: str, **more: Any) -> dict[str, Any]:
        unfinished: dict[str, Any] = {"incomplete_details": None, "output": [], "usage": None}
        return {**self._frame, "status": status, **unfinished, **more}

    def _lifecycle(self, status: str, response: Mapping[str, Any]) -> bytes:
        return self._event({"type": f"response.{status}", "response": response})

    def _event(self, facts: Event) -> bytes:
        return event({**facts, "sequence_number": next(self._numbers)}, facts["type"])


def _cut(closed: Closed) -> str | None:
    """Why it is incomplete; None of a whole one."""
    return INCOMPLETE.get(closed.completion.choices[0].finish_reason)


def _usage(usage: Usage) -> dict[str, Any]:
    """Nothing is charged for writing to an engine's prefix cache, so nothing of it is counted."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
