"""How versions that are tried do beside the one in force, and which of them are held back.

Each judged answer counts for its side, one of each conversation (`gateway.quality.worse`). Where a version is worse it
answers nobody any more: here at once, in the other gateways of the state within a second or two (`holds`). That stays
so until somebody releases it, or changes its weight, its text or that of the version in force: that is another trial.

Each process counts what it answered. Invariant: what is counted is never more than MOST conversations of a trial.
"""

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from gateway.exchange.side import Trial
from gateway.live.holds import Holds
from gateway.quality.words import Word
from gateway.quality.worse import BAD, Judgement, Seen, worse
from gateway.record import Record

log = logging.getLogger("tollgate.canary")

# Of a thousand harmless trials, from first to last, one at most is held back by a process; by one of ten, ten.
ALARM = 0.001
MOST = 100_000  # conversations of a trial, some 10 MB: any difference worth the name has shown by then
TRIALS = 32  # counted at a time


@dataclass(slots=True)
class _Count:
    base: Seen = field(default_factory=Seen)
    canary: Seen = field(default_factory=Seen)
    conversations: set[bytes] = field(default_factory=set)

    def add(self, canary: bool, conversation: bytes, checks: tuple[Word, ...]) -> bool:
        """Whether it is the first of its conversation; it counts then."""
        if conversation in self.conversations or len(self.conversations) >= MOST:
            return False
        self.conversations.add(conversation)
        if canary:
            self.canary = self.canary.add(checks)
        else:
            self.base = self.base.add(checks)
        return True

    def judged(self) -> Judgement:
        return worse(self.base, self.canary, ALARM)


class Trials:
    """Of this process."""

    def __init__(self, holds: Holds) -> None:
        self._holds = holds
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._held: set[str] = set()
        self._known: dict[str, str] = {}  # the newest row of each trial
        self._unwritten: dict[str, Trial] = {}

    def held(self, trial: Trial) -> bool:
        return trial.key in self._held

    def observe(self, record: Record) -> None:
        """Count one finished request."""
        if record.side is None or record.checks is None:
            return
        for trial in record.side.trials:
            count = self._count(trial.key)
            if not count.add(record.side.canary, record.side.conversation, record.checks):
                continue
            speaks = record.side.canary and any(word in BAD for word in record.checks)  # nothing else would decide it
            if speaks and not self.held(trial) and (judgement := count.judged()).worse:
                self._hold(trial, judgement)

    async def follow(self) -> None:
        """Tell the other gateways, and take in what they know. Raises StateUnavailable."""
        for key, trial in list(self._unwritten.items()):
            await self._holds.write(trial, True)
            del self._unwritten[key]
        for key, (row, held) in (await self._holds.read()).items():
            if self._known.get(key) != row:
                self._known[key] = row
                self._take(key, held)

    async def release(self, trial: Trial) -> None:
        """Try it again, counting from nothing. Raises StateUnavailable."""
        self._unwritten.pop(trial.key, None)
        await self._holds.write(trial, False)
        await self.follow()
        log.info("prompt %s: version %s is tried again", trial.prompt, trial.version)

    def told(self, trial: Trial) -> dict[str, Any]:
        """How it stands, for people."""
        count = self._counts.get(trial.key) or _Count()
        judgement = count.judged()
        return {
            "held": self.held(trial),
            "evidence": round(judgement.evidence, 3),
            "alarm": 1 / ALARM,
            "base": _seen(count.base),
            "canary": _seen(count.canary),
        }

    def _count(self, key: str) -> _Count:
        count = self._counts.setdefault(key, _Count())
        self._counts.move_to_end(key)
        if len(self._counts) > TRIALS:
            self._counts.popitem(last=False)
        return count

    def _hold(self, trial: Trial, judgement: Judgement) -> None:
        self._held.add(trial.key)
        self._unwritten[trial.key] = trial
        log.warning(
            "prompt %s: version %s is held back: %s of %.1f%% of its answers, and of %.1f%% of those in force",
            trial.prompt, trial.version, judgement.word, 100 * judgement.candidate, 100 * judgement.base,
        )  # fmt: skip

    def _take(self, key: str, held: bool) -> None:
        if held:
            self._held.add(key)
        elif key not in self._unwritten:
            self._held.discard(key)
            self._counts.pop(key, None)


def _seen(seen: Seen) -> dict[str, Any]:
    return {"answers": seen.answers, "found": dict(sorted(seen.found.items()))}
