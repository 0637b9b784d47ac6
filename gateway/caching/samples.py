"""Would-be hits that are answered anew, to learn whether they would have been right: a share of them, or all (shadow).

It costs nothing but the hit: the client gets the fresh answer, and the comparison runs beside it. What comes near to a
hit is answered anew anyway, so it is compared more often: without it nothing would ever show that more may be served.
Where the comparison cannot tell, the judge may.
"""

import hashlib
import random

from gateway.caching.agreement import Agreement, said
from gateway.caching.kept import Kept
from gateway.caching.lessons import Lesson, Lessons
from gateway.caching.opinion import Opinion
from gateway.exchange import Call, Hit
from gateway.settings import Cache as Section
from serving.events import Completion

NEARLY = 5  # near ones that are compared for each hit: they cost two embeddings, a hit a whole generation


class Samples:
    """Chooses among semantic hits, and learns from those that it chose. `opinion` is the judge's, if there is one."""

    def __init__(self, section: Section, agreement: Agreement, opinion: Opinion | None, lessons: Lessons) -> None:
        self._section, self._agreement, self._opinion, self._lessons = section, agreement, opinion, lessons

    def anew(self, call: Call, hit: Hit) -> str | None:
        """Why this hit is answered anew, in words; None when it is served."""
        if self._section.semantic == "shadow":
            return "a semantic hit, which is only measured (shadow)"
        if call.options.cache != "only" and random.random() < self._section.sample:
            return "a semantic hit, answered anew to compare (sample)"
        return None

    def compared(self, near: Hit | None) -> Hit | None:
        """What came near to a hit, if it is to be compared."""
        wanted = self._section.semantic == "shadow" or random.random() < NEARLY * self._section.sample
        return near if wanted else None

    async def learn(self, hit: Hit, question: str, fresh: Completion, at: float) -> None:
        """Compare the kept answer with a fresh one to the question."""
        assert isinstance(hit.given, Kept)
        if hit.probability is not None:
            told = hit.pool, hit.entry, hit.score, hit.probability, hit.verified, hit.near, hit.learned, hit.features
            lesson = Lesson(*told)
            right = await self._right(hit.pool, question, hit.given.completion, fresh)
            await self._lessons.teach(lesson, right, at, "fresh")

    async def _right(self, pool: str, question: str, kept: Completion, fresh: Completion) -> bool | None:
        right = await self._agreement.same(kept, fresh)
        one, other = said(kept), said(fresh)
        if right is not None or self._opinion is None or one is None or other is None:
            return right
        return await self._opinion.same(question, one, other, hashlib.sha256(pool.encode()).hexdigest())
