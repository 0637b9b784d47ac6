"""What users say of answers: a wrong one is forgotten, and what a semantic hit was worth is learned.

Reads of the request's journal row what its cache stage noted. Knows no key of a caller: whose row it is, is for others
to judge. A request is counted once, however often it is told of: the store sees to that.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.caching.evidence import Evidence
from gateway.neighbours import Neighbours
from gateway.state import Answers, Observation


class Corrections:
    """Takes what is said of an answer that was given."""

    def __init__(self, answers: Answers, neighbours: Neighbours, evidence: Evidence) -> None:
        self._answers, self._neighbours, self._evidence = answers, neighbours, evidence

    async def tell(self, row: Mapping[str, Any], right: bool) -> bool:
        """The answer of this row was right, or not; returns whether one was forgotten. Raises StateUnavailable."""
        noted = _noted(row)
        if noted is None:
            return False
        if "probability" in noted:
            await self._evidence.learn(_observation(row, noted, right))
        if right or "entry" not in noted:
            return False
        self._neighbours.remove(noted["entry"])
        return await self._answers.remove(noted["entry"])


def _noted(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The facts of its cache stage."""
    stages = orjson.loads(row["detail"] or "{}").get("stages", ())
    return next((stage.get("facts") for stage in stages if stage["stage"] == "cache"), None)


def _observation(row: Mapping[str, Any], noted: Mapping[str, Any], right: bool) -> Observation:
    return Observation(
        noted["pool"], noted["entry"], noted["score"], noted["probability"], right, row["at"], source="user"
    )
