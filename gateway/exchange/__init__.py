"""The values that pass between the steps of one request. Read this first: who has read it can read every stage.

One frozen type per step: `Call` (what a tenant asked), `Guarded` (what guards made of it), `Prompt` (what will be sent,
and where it came from), `Plan` (tokens, room, ceiling), `Hit` or `Miss`, `Packed` passages, `Verdict`, and what the
pipeline hands to the edge: `Opened`, then `serving.events.Deltas`, then `Closed`. A value never changes; a step makes a
new one.

`facts()` is what a value says of itself in the trace; it holds no prompt text.
"""

from gateway.exchange.answer import Answer, Closed, Given, Hit, Miss, Opened, Slot, Verdict, Verified
from gateway.exchange.call import (
    CacheMode,
    Call,
    Caller,
    Message,
    Mode,
    OnLength,
    Operation,
    Options,
    PromptRef,
    Retrieval,
    Truncate,
)
from gateway.exchange.guarding import Finding, Guarded, Looked
from gateway.exchange.parts import Cut, Parts
from gateway.exchange.prompt import Attempt, CacheTier, Packed, Plan, Prompt, Search, Snapshot
from gateway.exchange.wanted import ANY, Format, Tool, wanted

__all__ = [
    "ANY",
    "Answer",
    "Attempt",
    "CacheMode",
    "CacheTier",
    "Call",
    "Caller",
    "Closed",
    "Cut",
    "Finding",
    "Format",
    "Given",
    "Guarded",
    "Hit",
    "Looked",
    "Message",
    "Miss",
    "Mode",
    "OnLength",
    "Opened",
    "Operation",
    "Options",
    "Packed",
    "Parts",
    "Plan",
    "Prompt",
    "PromptRef",
    "Retrieval",
    "Search",
    "Slot",
    "Snapshot",
    "Tool",
    "Truncate",
    "Verdict",
    "Verified",
    "wanted",
]
