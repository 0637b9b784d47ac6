"""What the cache has saved, how right it was and what its judge used, from the journal and from what was observed.

Saved is what the engines did not have to make: tokens as they were told with each hit, dollars by the rate card, and
the time that they take for as many tokens in the requests of late. Requests share an engine, so that GPUs were freed
for less than that time. Knows no terminal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.caching.judgements import JUDGE
from gateway.caching.names import own, undecided
from gateway.prices import Prices, usd
from gateway.similarity.bounds import interval
from gateway.state import Feedback, Journal, Observation
from serving.events import Usage

HITS = ("exact", "semantic")
TIMED = 200  # newest answers whose pace is taken for the engines'
EVER = (0.0, 1e11)  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Savings:
    """Of the newest `requests` of the journal; `usd` is None where a model had no price, `engine_s` without a pace."""

    requests: int
    exact: int
    semantic: int
    input_tokens: int
    output_tokens: int
    usd: float | None
    engine_s: float | None


async def savings(journal: Journal, prices: Prices, newest: int) -> Savings:
    """What the hits among the newest requests have saved. Raises StateUnavailable."""
    rows = [row for row in await journal.latest(newest) if row["cache"]]
    hits = [row for row in rows if row["cache"] in HITS]
    used = [_usage(row) for row in await _whole(journal, hits)]
    costs = [prices.cost(row["model"], usage) for row, usage in zip(hits, used, strict=True)]
    pace = _pace(await _whole(journal, [row for row in rows if row["cache"] == "miss"][:TIMED]))
    total = sum(used, Usage())
    return Savings(
        requests=len(rows),
        exact=sum(row["cache"] == "exact" for row in hits),
        semantic=sum(row["cache"] == "semantic" for row in hits),
        input_tokens=total.input_tokens,
        output_tokens=total.output_tokens,
        usd=None if None in costs else usd(sum(cost for cost in costs if cost is not None)),
        engine_s=None if pace is None else round(total.output_tokens * pace, 1),
    )


async def observed(feedback: Feedback) -> list[dict[str, Any]]:
    """Of each pool how many would-be hits were compared with a fresh answer, how many were wrong, of how many nobody
    could tell; the same of those that came near to a hit, and how many users reported. Raises StateUnavailable."""
    return [
        _pool(name, await feedback.observations(name), await feedback.observations(undecided(name)))
        for name in sorted({own(pool) for pool in await feedback.pools()})
    ]


async def judged(journal: Journal) -> dict[str, Any] | None:
    """What the judge was asked and used, which no tenant pays; None where it never was. Raises StateUnavailable."""
    for row in await journal.usage(("tenant",), *EVER, JUDGE):
        used = {name: row[name] for name in ("input_tokens", "output_tokens")}
        return {"comparisons": row["requests"]} | used | {"usd": usd(row["cost_nano"])}
    return None


def _pool(name: str, seen: Sequence[Observation], unknown: Sequence[Observation]) -> dict[str, Any]:
    """`low` and `high`: 95% limits of the wrong share of the hits, had all of which nobody could tell been right, or
    wrong. What users say is no part of it: they report what is wrong."""
    hits, near = [one for one in seen if one.source == "fresh"], [one for one in seen if one.source == "near"]
    wrong, unsure = sum(not one.right for one in hits), sum(one.source == "fresh" for one in unknown)
    low, high = interval(wrong, len(hits), unknown=unsure)
    return {
        "pool": name,
        "seen": len(hits),
        "wrong": wrong,
        "undecided": unsure,
        "wrong_rate": round(wrong / len(hits), 4) if hits else None,
        "low": round(low, 4),
        "high": round(high, 4),
        "reported": sum(one.source == "user" and not one.right for one in seen),
        "near": len(near),
        "near_wrong": sum(not one.right for one in near),
        "near_undecided": len(unknown) - unsure,
    }


async def _whole(journal: Journal, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The details of rows; empty where they are gone."""
    read = [await journal.read(row["request_id"]) for row in rows]
    return [orjson.loads((row and row["detail"]) or "{}") for row in read]


def _usage(detail: Mapping[str, Any]) -> Usage:
    """What the kept answer had used, as the hit told it."""
    tokens = detail.get("gateway", {}).get("tokens", {})
    return Usage(tokens.get("input", 0), tokens.get("output", 0), tokens.get("cached", 0))


def _pace(details: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds that a token of an answer takes."""
    made = [stage for detail in details for stage in detail.get("stages", ()) if stage["stage"] == "generate"]
    made = [stage for stage in made if stage.get("facts", {}).get("output_tokens")]
    tokens = sum(stage["facts"]["output_tokens"] for stage in made)
    return sum(stage["ms"] for stage in made) / 1e3 / tokens if tokens else None
