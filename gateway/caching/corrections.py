"""What users say of answers: a wrong one is forgotten, and what a semantic hit was worth is learned.

Reads of the request's journal row what its cache stage noted. Knows no key of a caller: whose row it is, is for others
to judge. A request is counted once, however often it is told of: the store sees to that.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.caching.lessons import Lesson, Lessons
from gateway.neighbours import Neighbours
from gateway.state import Answers


class Corrections:
    """Takes what is said of an answer that was given."""

    def __init__(self, answers: Answers, neighbours: Neighbours, lessons: Lessons) -> None:
        self._answers, self._neighbours, self._lessons = answers, neighbours, lessons

    async def tell(self, row: Mapping[str, Any], right: bool) -> bool:
        """The answer of this row was right, or not; returns whether one was forgotten. Raises StateUnavailable."""
        noted = _noted(row)
        if noted is None:
            return False
        if lesson := Lesson.of(noted):
            await self._lessons.teach(lesson, right, row["at"], "user")
        if right or "entry" not in noted:
            return False
        self._neighbours.remove(noted["entry"])
        return await self._answers.remove(noted["entry"])


def _noted(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The facts of its cache stage."""
    stages = orjson.loads(row["detail"] or "{}").get("stages", ())
    return next((stage.get("facts") for stage in stages if stage["stage"] == "cache"), None)
