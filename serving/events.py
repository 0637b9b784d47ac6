"""The vocabulary of an answer: what a backend says, one value at a time.

Every answer is `Start`, then any number of `Deltas`, then one `End`; a buffered call is the same events folded into a
`Completion`. What arrives together stays together, so that whoever is behind has less to do for each token. Tools,
reasoning, logprobs and whatever vLLM adds next ride in `Delta.delta` as the backend sent them: this module types what
the gateway acts on and passes the rest through.

Invariants: `Start` comes first and once, `End` last and once; after `End` nothing follows; a stream that breaks raises
a `serving.errors.BackendError` instead of sending `End`. Counts are tokens.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Self

from serving.frozen import dataclass

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the backend counted them. `cached_tokens` is part of the input, `reasoning_tokens` of the output."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens - other.input_tokens,
            self.output_tokens - other.output_tokens,
            self.cached_tokens - other.cached_tokens,
            self.reasoning_tokens - other.reasoning_tokens,
        )

    def within(self, most: "Usage") -> "Usage":
        """The same with no count below 0 or above that of `most`; the parts (cached, reasoning) within their whole."""
        inputs = min(max(self.input_tokens, 0), most.input_tokens)
        outputs = min(max(self.output_tokens, 0), most.output_tokens)
        cached, reasoning = min(max(self.cached_tokens, 0), inputs), min(max(self.reasoning_tokens, 0), outputs)
        return Usage(inputs, outputs, cached, reasoning)

    @classmethod
    def parse(cls, usage: JSON) -> Self:
        """Read OpenAI's `usage` object; absent or null details count as 0."""
        inputs, outputs = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
        return cls(
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
            int(inputs.get("cached_tokens") or 0) if inputs else 0,
            int(outputs.get("reasoning_tokens") or 0) if outputs else 0,
        )

    def openai(self) -> dict[str, Any]:
        """OpenAI's `usage` object."""
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.total_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
        }


@dataclass(frozen=True, slots=True)
class Start:
    """The backend has begun to answer. Before it another backend may still be tried, after it never.

    `prompt_ids` are the tokens of the prompt, from a vLLM that was asked for them (return_token_ids).
    """

    id: str
    created: int
    model: str
    fingerprint: str | None = None
    prompt_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """One piece of one choice: OpenAI's `delta` object as sent."""

    index: int
    delta: JSON
    logprobs: Any = None

    @property
    def text(self) -> str:
        return str(self.delta.get("content") or "")


@dataclass(frozen=True, slots=True)
class Deltas:
    """What has arrived together, and the usage so far where the backend gives it.

    There may be no piece at all: then tokens were counted that say nothing. `ids` are those tokens, of an answer of one
    choice whose ids were asked for; the text of the last ones may come later.
    """

    pieces: tuple[Delta, ...]
    usage: Usage | None = None
    ids: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why one choice ended: OpenAI's finish_reason and vLLM's stop_reason (stop string, token id or None)."""

    index: int
    finish_reason: str
    stop_reason: str | int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The answer is complete as far as the backend is concerned. `usage` is None when the backend never gave one."""

    stops: tuple[Stop, ...]
    usage: Usage | None = None
    metrics: JSON | None = None


Event = Start | Deltas | End


@dataclass(frozen=True, slots=True)
class Choice:
    """One folded choice: `message` is OpenAI's assistant message (content, tool_calls, reasoning ...)."""

    index: int
    message: JSON
    finish_reason: str
    stop_reason: str | int | None = None
    logprobs: Any = None

    def piece(self) -> Delta:
        """All that it says, as one piece of a stream."""
        message = {name: value for name, value in self.message.items() if name != "role" and value is not None}
        if calls := message.get("tool_calls"):
            message["tool_calls"] = [{"index": i, **c} for i, c in enumerate(calls)]
        return Delta(self.index, message, self.logprobs)


@dataclass(frozen=True, slots=True)
class Completion:
    """A folded stream."""

    start: Start
    choices: tuple[Choice, ...]
    usage: Usage | None
    metrics: JSON | None = None


@dataclass(slots=True)
class _Growing:
    """A choice until it is whole. Its texts are joined then: a string that grows is copied with each token."""

    message: dict[str, Any] = field(default_factory=lambda: {"role": "assistant", "content": None})
    texts: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    tools: dict[int, dict[str, Any]] = field(default_factory=dict)
    logprobs: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, piece: Delta) -> None:
        for name, value in piece.delta.items():
            if name == "tool_calls":
                for call in value or ():
                    _grow_call(self.tools.setdefault(int(call.get("index", 0)), {}), call)
            elif isinstance(value, str) and name != "role":
                self.texts[name].append(value)
            elif value is not None:
                self.texts.pop(name, None)
                self.message[name] = value
        for name, entries in (piece.logprobs or {}).items():
            self.logprobs.setdefault(name, []).extend(entries or ())

    def done(self) -> dict[str, Any]:
        calls = [{k: v for k, v in self.tools[i].items() if k != "index"} for i in sorted(self.tools)]
        texts = {name: "".join(pieces) for name, pieces in self.texts.items()}
        return self.message | texts | ({"tool_calls": calls} if calls else {})


def _grow_call(grown: dict[str, Any], piece: JSON) -> None:
    """Join one fragment of a tool call: id and name come once, arguments in pieces."""
    for name, value in piece.items():
        if name == "function":
            function = grown.setdefault("function", {"name": "", "arguments": ""})
            for part in ("name", "arguments"):
                function[part] += (value or {}).get(part) or ""
        elif value is not None:
            grown.setdefault(name, value)


class Fold:
    """Joins events into a `Completion`."""

    def __init__(self) -> None:
        self._start: Start | None = None
        self._choices: defaultdict[int, _Growing] = defaultdict(_Growing)
        self._end: End | None = None

    def add(self, event: Event) -> None:
        match event:
            case Start():
                self._start = self._start or event
            case Deltas():
                for piece in event.pieces:
                    self._choices[piece.index].add(piece)
            case End():
                self._end = event

    def completion(self) -> Completion:
        """The folded answer. Raises ValueError when the stream had no `Start` or no `End`."""
        if self._start is None or self._end is None:
            raise ValueError("the stream is not complete: no Start or no End was seen")
        stops = {stop.index: stop for stop in self._end.stops}
        choices = tuple(
            _choice(index, self._choices[index], stops.get(index))
            for index in sorted(self._choices.keys() | stops.keys())
        )
        return Completion(self._start, choices, self._end.usage, self._end.metrics)


def _choice(index: int, grown: _Growing, stop: Stop | None) -> Choice:
    reason = stop.finish_reason if stop else "error"
    return Choice(index, grown.done(), reason, stop.stop_reason if stop else None, grown.logprobs or None)
