"""What is asked, and by whom. Knows nothing of what becomes of it."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from gateway.state import Limit, Scopes
from gateway.stopping import Remedies
from gateway.tracing import Trace
from serving.frozen import dataclass

CacheMode = Literal["auto", "use", "skip", "refresh", "only"]
OnLength = Literal["error", "return", "retry", "continue"]
Mode = Literal["verdict", "strict"]  # of a stream: sent as it comes, or once it is checked
Truncate = Literal["never", "oldest", "middle"]
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
    """Which collection to search, for how many passages at most; None: as the template says.

    `where` is metadata that they must have: each key one of its values.
    """

    collection: str
    top_k: int | None = None
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """The request's own `gateway` object. None (and `auto`) means: as the template says, else the default.

    `on_stop` are remedies by cause, above those of the template, the model and the settings. `truncate` says what of
    the messages goes first where they do not fit.
    """

    cache: CacheMode = "auto"
    semantic: bool | None = None
    retrieve: Retrieval | None = None
    on_length: OnLength | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    explain: bool = False
    on_stop: Remedies = field(default_factory=dict)
    mode: Mode | None = None
    truncate: Truncate | None = None


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
    generated then. `conversation` is what the app or its API calls the conversation or whoever asks.
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
    conversation: str | None = None

    @property
    def operation(self) -> Operation:
        """What is asked of the model, as OpenTelemetry's GenAI conventions call it."""
        return "embeddings" if self.inputs else "chat" if self.text is None else "text_completion"
