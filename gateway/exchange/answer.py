"""What comes back: what the check and the cache say of an answer, and what of it the edge is handed."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Literal, Protocol

from gateway.exchange.call import Call
from gateway.state import Balance
from gateway.stopping import Cause, Remedy
from serving.events import Completion, Deltas, Event, Start, Usage
from serving.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check says of an answer: why it stopped, whether its format holds, what it cites.

    `schema`: `unchecked` is a format that only the engine can check. `flags` are faults that it was given in spite of;
    `remedies` what was done before it came to this. `unsupported` are the sentences, first and after-last character,
    that find no support in what they cite.
    """

    stop: Literal["complete", "truncated", "failed"]
    finish_reason: str
    schema: Literal["none", "valid", "repaired", "unchecked", "invalid"] = "none"
    citations: tuple[Mapping[str, Any], ...] = ()
    unknown_citations: tuple[int, ...] = ()
    unsupported: tuple[tuple[int, int], ...] = ()
    cause: Cause = "stop"
    flags: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()

    def facts(self) -> dict[str, Any]:
        return {
            "stop": self.stop,
            "cause": self.cause,
            "finish_reason": self.finish_reason,
            "schema": self.schema,
            "citations": len(self.citations),
            "unknown_citations": list(self.unknown_citations),
            "unsupported": len(self.unsupported),
            "flags": list(self.flags),
            "remedies": list(self.remedies),
        }


class Given(Protocol):
    """An answer that another request was given, or is just being given."""

    @property
    def verdict(self) -> Verdict:
        """What the check said of it; known once its last event has come."""

    def events(self, call: Call) -> AsyncGenerator[Event, None]:
        """It, as the events of a new answer to `call`. Raises what the other request was told if it broke."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The address of one answer in the cache: see `gateway.state.Entry`. `pool`: what its observations belong to."""

    key: str
    partition: str
    pool: str
    vector: bytes | None
    tags: tuple[str, ...]
    question: str
    ttl_s: float


@dataclass(frozen=True, slots=True)
class Verified:
    """What the cross-encoder `model` says of two questions: its own `score`, and the probability that stands for."""

    model: str
    score: float
    probability: float

    def facts(self) -> dict[str, Any]:
        return {"model": self.model, "score": round(self.score, 4), "probability": round(self.probability, 4)}


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer given before that may stand for this one. `score` is the cosine similarity (exact: 1.0), `age` in
    seconds, `entry` its key in the cache. Of a semantic hit, the `probability` that it is right, and why, in words, and
    what a verifier says, where one was asked. `near`: it comes near to one that is served, and is not. `learned`: the
    pool's own model serves it, by its `features`, and not the prior.

    `shared`: it is being made just now, for an identical request, by the alias `model`, which may be a fallback.
    """

    kind: Literal["exact", "semantic"]
    given: Given
    score: float
    age: float
    entry: str
    pool: str
    probability: float | None = None
    reasons: tuple[str, ...] = ()
    shared: bool = False
    model: str | None = None
    verified: Verified | None = None
    near: bool = False
    learned: bool = False
    features: tuple[float, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return self.given.verdict

    def facts(self) -> dict[str, Any]:
        return (
            {"verdict": self.kind, "age_s": round(self.age, 1), "entry": self.entry}
            | _likeness(self)
            | ({"shared": True} if self.shared else {})
            | ({"near": True} if self.near else {})
            | ({"learned": True} if self.learned else {})
        )


@dataclass(frozen=True, slots=True)
class Miss:
    """No cached answer, and why: `reason` in words, `score` of the nearest candidate if there was one.

    `slot` is where the answer belongs once it is there; None when this request is not to be kept. `leads`: what is made
    is given to others too, who ask the same. `instead` is the hit that is answered anew, or what came near to one:
    its answer is compared with the fresh one, to learn whether it would have been right.
    """

    reason: str
    score: float | None = None
    slot: Slot | None = None
    leads: Given | None = None
    instead: Hit | None = None

    def facts(self) -> dict[str, Any]:
        return (
            {"verdict": "miss", "reason": self.reason}
            | ({} if self.score is None else {"score": round(self.score, 4)})
            | ({"entry": self.slot.key} if self.slot else {})
            | ({"instead": self.instead.facts()} if self.instead else {})
        )


def _likeness(hit: Hit) -> dict[str, Any]:
    told: dict[str, Any] = {"score": round(hit.score, 4)}
    if hit.probability is None:
        return told
    told |= {"pool": hit.pool, "probability": round(hit.probability, 4), "reasons": list(hit.reasons)}
    told |= {"features": list(hit.features)}
    return told | ({"verifier": hit.verified.facts()} if hit.verified else {})


@dataclass(frozen=True, slots=True)
class Opened:
    """The first thing the edge gets: the answer has begun, these are the facts its headers need.

    `age` in seconds, of a hit.
    """

    start: Start
    cache: Literal["miss", "exact", "semantic"]
    balances: tuple[Balance, ...]
    age: float | None = None


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


Answer = Opened | Deltas | Closed
