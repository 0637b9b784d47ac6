"""Would-be hits that are answered anew, to learn whether they would have been right: a share of them, or all (shadow).

It costs nothing but the hit: the client gets the fresh answer, and the comparison runs beside it. What cannot be told
teaches nothing.
"""

import random

from gateway.caching.agreement import Agreement
from gateway.caching.evidence import Evidence
from gateway.caching.kept import Kept
from gateway.exchange import Call, Hit
from gateway.settings import Cache as Section
from gateway.state import Observation
from serving.events import Completion


class Samples:
    """Chooses among semantic hits, and learns from those that it chose."""

    def __init__(self, section: Section, agreement: Agreement, evidence: Evidence) -> None:
        self._section, self._agreement, self._evidence = section, agreement, evidence

    def anew(self, call: Call, hit: Hit) -> str | None:
        """Why this hit is answered anew, in words; None when it is served."""
        if self._section.semantic == "shadow":
            return "a semantic hit, which is only measured (shadow)"
        if call.options.cache != "only" and random.random() < self._section.sample:
            return "a semantic hit, answered anew to compare (sample)"
        return None

    async def learn(self, hit: Hit, fresh: Completion, at: float) -> None:
        """Compare the kept answer with a fresh one."""
        assert isinstance(hit.given, Kept)
        right = await self._agreement.same(hit.given.completion, fresh)
        if right is not None and hit.probability is not None:
            await self._evidence.learn(Observation(hit.pool, hit.entry, hit.score, hit.probability, right, at))
