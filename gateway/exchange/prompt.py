"""What will be sent, how long it may be, and what it becomes once passages are in place."""

from collections.abc import Mapping
from typing import Any, Literal

from gateway.exchange.call import Message, Mode
from gateway.exchange.parts import Cut, Parts
from gateway.exchange.side import Side
from gateway.exchange.wanted import Format
from gateway.settings import Retrieve
from gateway.stopping import Remedies, Remedy
from prompts.template import Template
from retrieval.passage import Found
from retrieval.protocols import Encoder, Index
from retrieval.query import Scope
from serving.events import Usage
from serving.frozen import dataclass
from serving.tokens import Count

CacheTier = Literal["off", "exact", "semantic"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a collection, by the name that the settings give it, with its section there and what makes
    its questions' vectors.

    A request keeps the one that it began with, whatever is swapped in meanwhile.
    """

    name: str
    index: Index
    section: Retrieve
    encoder: Encoder

    @property
    def version(self) -> str:
        return self.index.version


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for passages: at most `top_k` of those in `scope`, each relevant with `floor` or more; they add
    `max_tokens` to the prompt at most."""

    snapshot: Snapshot
    top_k: int
    floor: float
    scope: Scope
    max_tokens: int

    def facts(self) -> dict[str, Any]:
        return {"collection": self.snapshot.name, "version": self.snapshot.version}

    def parts(self) -> tuple[Any, ...]:
        """Everything of it that changes an answer, as JSON: what is found, and how much of it a prompt may hold."""
        section = self.snapshot.section
        where = {name: sorted(values) for name, values in self.scope.where.items()}
        return (
            self.snapshot.name, self.snapshot.version, self.top_k, self.floor, sorted(self.scope.access), where,
            self.max_tokens, section.rerank,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prompt:
    """What will be sent. `fields`: the template's below the request's own; `question`: what similarity may compare.

    `template` is kept so that the same version is rendered again once the passages are known. `on_stop` are remedies
    of all causes, `mode` is that of a stream (a buffered answer is `strict`). `text` is a raw prompt for the engine's
    /v1/completions, in place of messages.

    `fields` hold schemas as the engine is guided by them, `format` those that were asked for; `unenforced` are keywords
    of these that only the check holds answers to.

    `messages` are made of `parts`, or of what `cut` left of them; `question` is never cut. `side`: where
    versions of its template are tried.
    """

    model: str  # alias
    messages: tuple[Message, ...]
    fields: Mapping[str, Any]
    template: Template | None
    question: str | None
    format: Format
    retrieve: Search | None
    on_stop: Remedies
    mode: Mode
    cache: CacheTier
    text: str | None = None
    parts: Parts = Parts()
    cut: Cut | None = None
    side: Side | None = None
    unenforced: tuple[str, ...] = ()

    @property
    def kept(self) -> Parts:
        """What of its parts is sent."""
        return self.cut.parts if self.cut else self.parts

    @property
    def source(self) -> dict[str, Any] | None:
        """Where it came from: id, version and digest of its template, and whether that is a `canary`; None for messages
        that the app wrote itself."""
        t = self.template
        canary = {"canary": True} if self.side and self.side.canary else {}
        return {"id": t.id, "version": t.version, "digest": t.digest} | canary if t else None

    def facts(self) -> dict[str, Any]:
        return (
            {"model": self.model, "messages": len(self.messages)}
            | ({"prompt": self.template.id, "version": self.template.version} if self.template else {})
            | ({"unenforced": list(self.unenforced)} if self.unenforced else {})
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One generation that the request may cost at most: its input and, over all choices, its output, in tokens.

    `remedy` is what it is made for; None: it is the first.
    """

    input: int
    output: int
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The arithmetic of the window, in tokens: `input` + `room` (for passages) + `output` <= `window`.

    `attempts` is every generation that the policy allows; together they are the most it can be billed for.
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

    def of(self, remedy: Remedy) -> tuple[Attempt, ...]:
        """The generations that were planned for a remedy; none where it cannot help or has no room."""
        return tuple(attempt for attempt in self.attempts if attempt.remedy == remedy)

    def facts(self) -> dict[str, Any]:
        return {
            "input_tokens": self.input.tokens,
            "source": self.input.source,
            "output_ceiling": self.output,
            "room": self.room,
            "window": self.window,
            "ceiling_tokens": self.usage.total_tokens,
            "attempts": len(self.attempts),
        }


@dataclass(frozen=True, slots=True)
class Packed:
    """The prompt with its passages in place, and its exact length.

    `found` are the passages as the prompt numbers them, from 1; `considered` counts the candidates, `relevant` those
    that were chosen before the room was looked at; `rerank` says what became of rating them, None: nobody was asked.
    """

    prompt: Prompt
    input: Count
    found: tuple[Found, ...] = ()
    considered: int = 0
    relevant: int = 0
    rerank: str | None = None

    def retrieved(self) -> dict[str, Any] | None:
        """What the client is told of its passages; None where nothing was searched."""
        search = self.prompt.retrieve
        told = {"passages": len(self.found), "nothing_relevant": self.relevant == 0}
        return search.facts() | told if search else None

    def facts(self) -> dict[str, Any]:
        searched = self.retrieved()
        if searched is None:
            return {"input_tokens": self.input.tokens}
        return {
            **searched,
            "considered": self.considered,
            "relevant": self.relevant,
            "rerank": self.rerank,
            "input_tokens": self.input.tokens,
            "best": round(max(one.score for one in self.found), 4) if self.found else None,
        }
