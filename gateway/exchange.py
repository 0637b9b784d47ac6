"""The values that pass between the steps of one request. Read this first: who has read it can read every stage.

One frozen type per step: `Call` (what a tenant asked), `Prompt` (what will be sent, and where it came from), `Plan`
(tokens, room, ceiling), `Hit` or `Miss`, `Packed` passages, `Verdict`, and what the pipeline hands to the edge:
`Opened`, then `serving.events.Delta`s, then `Closed`. A value never changes; a step makes a new one.

`facts()` is what a value says of itself in the trace; it holds no prompt text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.state import Balance, Limit, Scopes
from gateway.tracing import Trace
from prompts.template import Template
from retrieval.index import Found
from serving.events import Completion, Delta, Start, Usage
from serving.tokens import Count

CacheMode = Literal["auto", "use", "skip", "refresh", "only"]
CacheTier = Literal["off", "exact", "semantic"]
OnLength = Literal["error", "return", "retry", "continue"]
Operation = Literal["chat", "text_completion", "embeddings"]
Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an authenticated key and its tenant's name, with the limits of both; what the key may use.

    `zone` is where the tenant's days begin.
    """

    key: str
    tenant: str
    tenant_limits: tuple[Limit, ...] = ()
    key_limits: tuple[Limit, ...] = ()
    zone: str = "UTC"
    scopes: Scopes = field(default_factory=Scopes)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Which collection to search, and how many passages at most."""

    collection: str
    top_k: int = 4


@dataclass(frozen=True, slots=True)
class Options:
    """The request's own `gateway` object. None (and `auto`) means: as the template says, else the default."""

    cache: CacheMode = "auto"
    semantic: bool | None = None
    retrieve: Retrieval | None = None
    on_length: OnLength | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    explain: bool = False


@dataclass(frozen=True, slots=True)
class PromptRef:
    """A template by name: OpenAI's `prompt` object of the Responses API."""

    id: str
    version: str | None
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """What a tenant asked. `fields` are the checked OpenAI fields to pass on (temperature, tools, ...).

    `text` is a raw prompt, in place of messages: no chat template renders it. `inputs` are texts to embed: nothing is
    generated then.
    """

    request_id: str
    caller: Caller
    model: str | None
    messages: tuple[Message, ...]
    prompt: PromptRef | None
    fields: Mapping[str, Any]
    options: Options
    stream: bool
    trace: Trace
    at: float  # seconds since the epoch
    text: str | None = None
    inputs: tuple[str, ...] = ()

    @property
    def operation(self) -> Operation:
        """What is asked of the model, as OpenTelemetry's GenAI conventions call it."""
        return "embeddings" if self.inputs else "chat" if self.text is None else "text_completion"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What will be sent. `fields`: the template's below the request's own; `question`: what similarity may compare.

    `template` is kept so that the same version is rendered again once the passages are known. `text` is a raw prompt
    for the engine's /v1/completions, in place of messages.
    """

    model: str  # alias
    messages: tuple[Message, ...]
    fields: Mapping[str, Any]
    template: Template | None
    question: str | None
    schema: Mapping[str, Any] | None
    retrieve: Retrieval | None
    on_length: OnLength
    cache: CacheTier
    text: str | None = None

    @property
    def source(self) -> dict[str, str] | None:
        """Where it came from: id, version and digest of its template; None for messages that the app wrote itself."""
        t = self.template
        return {"id": t.id, "version": t.version, "digest": t.digest} if t else None

    def facts(self) -> dict[str, Any]:
        return {"model": self.model, "messages": len(self.messages)} | (
            {"prompt": self.template.id, "version": self.template.version} if self.template else {}
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One generation that the request may cost at most: its input and, over all choices, its output, in tokens."""

    input: int
    output: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The arithmetic of the window, in tokens: `input` + `room` (for passages) + `output` <= `window`.

    `attempts` is every generation that the policy on length allows; together they are the most it can be billed for.
    """

    input: Count
    output: int
    room: int
    window: int
    attempts: tuple[Attempt, ...]
    models: tuple[str, ...]  # the aliases that may answer: the one asked and its fallbacks

    @property
    def usage(self) -> Usage:
        """The ceiling, as usage: what is set aside before anything is spent."""
        return Usage(sum(a.input for a in self.attempts), sum(a.output for a in self.attempts))

    def facts(self) -> dict[str, Any]:
        return {
            "input_tokens": self.input.tokens,
            "source": self.input.source,
            "output_ceiling": self.output,
            "room": self.room,
            "window": self.window,
            "ceiling_tokens": self.usage.total_tokens,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check says of an answer: why it stopped, whether its schema holds, what it cites."""

    stop: Literal["complete", "truncated", "failed"]
    finish_reason: str
    schema: Literal["none", "valid"] = "none"
    citations: tuple[Mapping[str, Any], ...] = ()
    unknown_citations: tuple[int, ...] = ()

    def facts(self) -> dict[str, Any]:
        return {
            "stop": self.stop,
            "finish_reason": self.finish_reason,
            "schema": self.schema,
            "citations": len(self.citations),
            "unknown_citations": list(self.unknown_citations),
        }


@dataclass(frozen=True, slots=True)
class Hit:
    """A cached answer that may stand for this one. `score` is the cosine similarity (exact: 1.0), `age` in seconds."""

    kind: Literal["exact", "semantic"]
    completion: Completion
    score: float
    age: float
    verdict: Verdict

    def facts(self) -> dict[str, Any]:
        return {"verdict": self.kind, "score": round(self.score, 4), "age_s": round(self.age, 1)}


@dataclass(frozen=True, slots=True)
class Miss:
    """No cached answer, and why: `reason` in words, `score` of the nearest candidate if there was one.

    `slot` is where the answer belongs once it is there; None when this request is not to be kept.
    """

    reason: str
    score: float | None = None
    slot: "Slot | None" = None

    def facts(self) -> dict[str, Any]:
        return {"verdict": "miss", "reason": self.reason} | (
            {} if self.score is None else {"score": round(self.score, 4)}
        )


@dataclass(frozen=True, slots=True)
class Slot:
    """The address of one answer in the cache: see `gateway.state.Entry`."""

    key: str
    partition: str
    vector: bytes | None
    tags: tuple[str, ...]
    question: str


@dataclass(frozen=True, slots=True)
class Packed:
    """The prompt with its passages in place, and its exact length."""

    prompt: Prompt
    input: Count
    collection: str | None = None
    version: str | None = None
    found: tuple[Found, ...] = ()
    considered: int = 0

    def facts(self) -> dict[str, Any]:
        return {
            "collection": self.collection,
            "version": self.version,
            "considered": self.considered,
            "packed": len(self.found),
            "input_tokens": self.input.tokens,
            "best": round(self.found[0].score, 4) if self.found else None,
        }


@dataclass(frozen=True, slots=True)
class Opened:
    """The first thing the edge gets: the answer has begun, these are the facts its headers need."""

    start: Start
    cache: Literal["miss", "exact", "semantic"]
    balances: tuple[Balance, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """The last thing the edge gets: the answer is whole, checked, settled and journalled.

    `completion` is the folded answer; `gateway` is the object that rides on the answer (contract: HTTP).
    """

    completion: Completion
    usage: Usage
    balances: tuple[Balance, ...]
    cost_usd: float | None
    gateway: Mapping[str, Any]


Answer = Opened | Delta | Closed
