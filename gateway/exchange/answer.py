"""What comes back: what the check and the cache say of an answer, and what of it the edge is handed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.state import Balance
from serving.events import Completion, Deltas, Start, Usage


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
class Slot:
    """The address of one answer in the cache: see `gateway.state.Entry`."""

    key: str
    partition: str
    vector: bytes | None
    tags: tuple[str, ...]
    question: str


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
    slot: Slot | None = None

    def facts(self) -> dict[str, Any]:
        return {"verdict": "miss", "reason": self.reason} | (
            {} if self.score is None else {"score": round(self.score, 4)}
        )


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


Answer = Opened | Deltas | Closed
