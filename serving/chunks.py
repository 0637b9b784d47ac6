"""From the payloads of a chat completion stream to `Start`, `Delta` and `End`.

Follows OpenAI's chat.completion.chunk as vLLM sends it with `include_usage` and `continuous_usage_stats`. It does not
know how payloads arrive. Each payload is parsed once.

Invariants: a chunk that says nothing new (the role alone, an empty delta) is not passed on; finish reasons are gathered
and handed over in `End`; there is an `End` only when every choice has a finish reason and `[DONE]` came last.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from serving.errors import BackendBroken
from serving.events import Delta, End, Event, Start, Stop, Usage

DONE = b"[DONE]"


class Reader:
    """Reads the stream of one request from the backend called `backend`."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._start: Start | None = None
        self._stops: dict[int, Stop | None] = {}
        self._spent: dict[int, Usage] = {}
        self._total: Usage | None = None
        self._metrics: Mapping[str, Any] | None = None
        self._done = False

    def read(self, payload: bytes) -> list[Event]:
        """The events in one payload. Raises BackendBroken for an error event and for a malformed chunk."""
        if self._done:
            raise BackendBroken(self._backend, "an event came after the end marker")
        if payload == DONE:
            self._done = True
            return []
        try:
            chunk = orjson.loads(payload)
            if isinstance(chunk, dict) and (error := chunk.get("error")):
                raise BackendBroken(self._backend, f"the backend reported an error inside the stream: {_kind(error)}")
            return self._events(chunk)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise BackendBroken(self._backend, "an event is not a chat.completion.chunk") from error

    def end(self) -> End:
        """What is known once the bytes have ended. Raises BackendBroken when the stream was cut short."""
        if not self._done:
            raise BackendBroken(self._backend, "the stream ended without its end marker [DONE]")
        stops = tuple(stop for _, stop in sorted(self._stops.items()) if stop)
        if not stops or len(stops) < len(self._stops):
            raise BackendBroken(self._backend, "the stream ended without a finish reason for every choice")
        return End(stops, self._total or self._so_far(), self._metrics)

    def _events(self, chunk: Mapping[str, Any]) -> list[Event]:
        events: list[Event] = []
        if self._start is None:
            self._start = _start(chunk)
            events.append(self._start)
        self._metrics = chunk.get("metrics") or self._metrics
        usage = Usage.parse(chunk["usage"]) if chunk.get("usage") else None
        choices = chunk["choices"]
        if not choices:
            self._total = usage or self._total
        for choice in choices:
            events += self._choice(choice, usage)
        return events

    def _choice(self, choice: Mapping[str, Any], usage: Usage | None) -> list[Event]:
        index = int(choice["index"])
        delta: Mapping[str, Any] = dict(choice["delta"])
        reason = choice.get("finish_reason")
        self._stops[index] = Stop(index, str(reason), choice.get("stop_reason")) if reason else self._stops.get(index)
        grew = usage is not None and usage.output_tokens > self._spent.get(index, Usage()).output_tokens
        if usage is not None:
            self._spent[index] = usage
        logprobs = choice.get("logprobs")
        says = any(value for name, value in delta.items() if name != "role")
        return [Delta(index, delta, logprobs, self._so_far())] if says or logprobs or grew else []

    def _so_far(self) -> Usage | None:
        """The request's usage until now. vLLM's running counts are one choice's; all of them share the prompt."""
        if not self._spent:
            return None
        counts = self._spent.values()
        return Usage(
            max(count.input_tokens for count in counts),
            sum(count.output_tokens for count in counts),
            max(count.cached_tokens for count in counts),
            sum(count.reasoning_tokens for count in counts),
        )


def _start(chunk: Mapping[str, Any]) -> Start:
    return Start(str(chunk["id"]), int(chunk["created"]), str(chunk["model"]), chunk.get("system_fingerprint"))


def _kind(error: object) -> str:
    """The error's type and code; its message is left out, for it may quote the prompt."""
    if not isinstance(error, Mapping):
        return "no details"
    return f"type {error.get('type')}, code {error.get('code')}"
