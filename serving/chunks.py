"""From the payloads of a stream of completions to `Start`, `Deltas` and `End`.

Follows OpenAI's chat.completion.chunk, and the text_completion of the older /v1/completions, as vLLM sends them with
`include_usage` and `continuous_usage_stats`. It does not know how payloads arrive. Each payload is parsed once; most
say one content of one choice, and this way is kept short.

vLLM finds out late what is wrong with some requests, and refuses them inside a stream: before the first chunk that is
the refusal that its code stands for, after it the answer is broken.

Invariants: a chunk that says nothing new (the role alone, an empty delta) is not passed on; finish reasons are gathered
and handed over in `End`; there is an `End` only when every choice has a finish reason and `[DONE]` came last.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson

from serving.deltas import chat_delta, token_ids
from serving.errors import BackendBroken, BackendError
from serving.events import JSON, Delta, Deltas, End, Event, Start, Stop, Usage
from serving.failures import refusal

DONE = b"[DONE]"
MALFORMED = (ValueError, TypeError, KeyError, AttributeError, OverflowError)  # what the reading of a chunk raises


class Reader:
    """Reads the stream of one prompt's choices from the backend called `backend`.

    `said` takes what a choice says out of it. `done`: the end marker has come. Token ids (vLLM's return_token_ids) are
    passed on where they come. `fingerprint` is what the engine calls itself: vLLM says it at the end of a stream.
    """

    def __init__(self, backend: str, said: Callable[[JSON], JSON] = chat_delta) -> None:
        self._backend, self._said = backend, said
        self._start: Start | None = None
        self._stops: dict[int, Stop | None] = {}
        self._spent: dict[int, JSON] = {}  # of each choice, as told last
        self._total: Usage | None = None
        self._told = 0  # tokens of output
        self._metrics: JSON | None = None
        self._ids: list[int] = []  # not passed on yet
        self.fingerprint: str | None = None
        self.done = False

    def read(self, payloads: Iterable[bytes]) -> Iterator[Event]:
        """What is new in payloads that came together.

        Raises BackendError for an error event, BackendBroken for a malformed chunk, after what came before it.
        """
        begun, pieces, fault = self._start is not None, list[Delta](), None
        try:
            for payload in payloads:
                self._read(payload, pieces)
        except BackendError as error:
            fault = error
        if self._start and not begun:
            yield self._start
        usage = self._so_far()
        tokens = usage.output_tokens if usage else 0
        if pieces or tokens > self._told or self._ids:
            self._told, ids = tokens, tuple(self._ids)
            self._ids.clear()
            yield Deltas(tuple(pieces), usage, ids)
        if fault:
            raise fault

    def end(self) -> End:
        """What is known once the bytes have ended. Raises BackendBroken when the stream was cut short."""
        if not self.done:
            raise BackendBroken(self._backend, "the stream ended without its end marker [DONE]")
        stops = tuple(stop for _, stop in sorted(self._stops.items()) if stop)
        if not stops or len(stops) < len(self._stops):
            raise BackendBroken(self._backend, "the stream ended without a finish reason for every choice")
        return End(stops, self._total or self._so_far(), self._metrics)

    def _read(self, payload: bytes, pieces: list[Delta]) -> None:
        """Add what one payload says to `pieces`."""
        if self.done:
            raise BackendBroken(self._backend, "an event came after the end marker")
        if payload == DONE:
            self.done = True
            return
        try:
            chunk = orjson.loads(payload)
            if error := chunk.get("error"):
                raise self._reported(error, payload)
            self._chunk(chunk, pieces)
        except MALFORMED as error:
            raise BackendBroken(self._backend, "an event is not a chunk of a completion") from error

    def _reported(self, error: object, payload: bytes) -> BackendError:
        code = error.get("code") if isinstance(error, Mapping) else None
        if self._start is None and isinstance(code, int) and 400 <= code < 600:
            return refusal(self._backend, code, {}, payload)
        return BackendBroken(self._backend, f"the backend reported an error inside the stream: {_kind(error)}")

    def _chunk(self, chunk: JSON, pieces: list[Delta]) -> None:
        if self._start is None:
            self._start = _start(chunk)
        if metrics := chunk.get("metrics"):
            self._metrics = dict(metrics)
        if fingerprint := chunk.get("system_fingerprint"):
            self.fingerprint = str(fingerprint)
        counts, choices = chunk.get("usage"), chunk["choices"]
        for choice in choices:
            self._choice(choice, counts, pieces)
        if counts and not choices:
            self._total = Usage.parse(counts)

    def _choice(self, choice: JSON, counts: JSON | None, pieces: list[Delta]) -> None:
        index, delta = int(choice["index"]), self._said(choice)
        if reason := choice.get("finish_reason"):
            self._stops[index] = Stop(index, str(reason), choice.get("stop_reason"))
        elif index not in self._stops:
            self._stops[index] = None
        if ids := choice.get("token_ids"):
            self._ids += token_ids(ids)
        logprobs = choice.get("logprobs")
        if delta.get("content") or logprobs or any(value for name, value in delta.items() if name != "role"):
            pieces.append(Delta(index, delta, logprobs))
        if counts:
            self._spent[index] = counts

    def _so_far(self) -> Usage | None:
        """The request's usage until now: vLLM's running counts are one choice's, and all choices share the prompt.

        Raises BackendBroken.
        """
        try:
            counts = [Usage.parse(told) for told in self._spent.values()]
        except MALFORMED as error:
            raise BackendBroken(self._backend, "a usage is not as OpenAI has it") from error
        if len(counts) < 2:
            return counts[0] if counts else None
        return Usage(
            max(count.input_tokens for count in counts),
            sum(count.output_tokens for count in counts),
            max(count.cached_tokens for count in counts),
            sum(count.reasoning_tokens for count in counts),
        )


def _start(chunk: Mapping[str, Any]) -> Start:
    """Of the first chunk: vLLM has the prompt's ids beside a chat's choices, and within that of a text completion."""
    own, choices = chunk.get("prompt_token_ids"), chunk["choices"]
    ids = token_ids(own or (choices[0].get("prompt_token_ids") if choices else None) or [])
    return Start(str(chunk["id"]), int(chunk["created"]), str(chunk["model"]), chunk.get("system_fingerprint"), ids)


def _kind(error: object) -> str:
    """The error's type and code; its message is left out, for it may quote the prompt."""
    if not isinstance(error, Mapping):
        return "no details"
    return f"type {error.get('type')}, code {error.get('code')}"
