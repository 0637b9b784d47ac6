"""One growing text of an answer under the eyes of its guards: what of it may be shown already. Knows no event.

    what arrived | shown | decided by every guard, and now to be shown | held back

Each guard has an `Eye`, which knows up to where the guard has decided; what all eyes that hold have passed is shown,
less what is redacted. A guard with a reach decides all but the last characters that may yet become a finding; one
without is asked about each sentence, each so many characters, or the whole, as its settings say, with some of the text
before it.

Invariants: nothing is shown that a guard which holds has not decided; nothing is held back that all have; a guard that
fails open is not asked again.
"""

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from gateway.exchange import Call, Finding, Looked
from gateway.exchange.guarding import Ruling, highest
from gateway.guards.asking import Report, Watch, ask
from gateway.guards.redaction import Sweep
from gateway.guards.views import View
from gateway.settings import Injection, Webhook

SENTENCE = re.compile(r"[.!?…]['\"”’)\]]*\s|[。！？]|\n")
SENTENCE_CHARS = 1_000  # what has no sentence's end for so long is judged as it is


@dataclass(slots=True)
class Tally:
    """What one guard made of an answer so far, of all its texts."""

    watch: Watch
    kinds: Counter[str] = field(default_factory=Counter)
    ruling: Ruling = "pass"
    failed: str | None = None
    ms: float = 0.0

    def add(self, report: Report, found: Sequence[Finding]) -> None:
        self.ms = round(self.ms + report.ms, 3)
        if found or report.failed:
            self.kinds.update(one.kind for one in found)
            self.failed = report.failed or self.failed
            self.ruling = highest((self.ruling, report.ruling if report.failed else highest(f.ruling for f in found)))

    def looked(self) -> Looked:
        return Looked(
            self.watch.guard.name, "output", self.ruling, tuple(sorted(self.kinds.items())), self.failed, self.ms
        )


class Eye:
    """One guard's, on one text. `until`: the place up to which it has decided."""

    def __init__(self, tally: Tally) -> None:
        self._tally, self._watch = tally, tally.watch
        section = tally.watch.section
        self._every = section.every if isinstance(section, Injection | Webhook) else "answer"
        self.until = 0
        self._told: frozenset[Finding] = frozenset()  # those that reach beyond `until`, to be counted once
        self._early = False  # it had to decide before it could, for the text was interrupted there

    @property
    def holds(self) -> bool:
        """Whether the text waits for it."""
        return self._watch.holds and self._tally.failed is None

    @property
    def pure(self) -> bool:
        return self._watch.guard.reach is not None

    @property
    def needs(self) -> int:
        """The first character that it must see again; of one that failed none."""
        guard = self._watch.guard
        if self._tally.failed:
            return sys.maxsize
        return max(0, self.until - guard.before - (guard.reach or 0 if self._early else 0))

    def decides(self, text: str, begin: int, final: bool) -> int:
        """Up to where it can decide about the text, which begins at the place `begin`; `until` where no further."""
        end = begin + len(text)
        if self._tally.failed:
            return self.until
        if final:
            return end
        if self._watch.guard.reach is not None:
            seen = text[max(0, self.until - begin - self._watch.guard.reach) :]
            return max(self.until, end - self._watch.guard.held(seen))
        return self._judged(text[self.until - begin :], end)

    def _judged(self, new: str, end: int) -> int:
        every = self._every
        if every == "answer" or not self._watch.holds:  # nobody waits for what is only told
            return self.until
        if len(new) >= (SENTENCE_CHARS if every == "sentence" else every):
            return end
        ends = [match.end() for match in SENTENCE.finditer(new)] if every == "sentence" else []
        return self.until + ends[-1] if ends else self.until

    async def look(self, text: str, begin: int, upto: int, final: bool, call: Call) -> tuple[Finding, ...]:
        """What is found in the text and concerns what lies between `until` and `upto`, in places of the whole."""
        skipped = self.needs - begin
        seen = text[skipped:] if self._watch.guard.reach is not None else text[skipped : upto - begin]
        report = await ask(self._watch, [seen], call, "output")
        found = tuple(self._new(report.found[0], upto)) if report.found[0] else ()
        if found or self._told:
            self._told = frozenset(one for one in (*found, *self._told) if one.end > upto)
        self.until, self._early = upto, final
        self._tally.add(report, found)
        return found

    def _new(self, found: Sequence[Finding], upto: int) -> Iterator[Finding]:
        """Those that were not known before. One that begins before `until` was, but for a guard that judges whole
        texts, or where the text was interrupted."""
        early = self._early or not self.pure
        for one in found:
            placed = replace(one, start=one.start + self.needs, end=one.end + self.needs)
            begins = placed.start >= self.until or (early and placed.end > self.until)
            if begins and placed.start < upto and placed not in self._told:
                yield placed


class Track:
    """One text. `changed`: something was taken out of it."""

    def __init__(self, tallies: Sequence[Tally], call: Call, view: View) -> None:
        self._tallies, self._call, self._view = tallies, call, view
        self._eyes = [Eye(tally) for tally in tallies]
        self._sweep = Sweep()
        self._text, self._begin = "", 0  # what is still needed of the view, and the place where that begins
        self._found: list[Finding] = []  # to be redacted, and not shown yet
        self.changed = False

    async def add(self, raw: str, final: bool = False) -> str:
        """What may be shown once this has arrived. `final`: nothing follows, or something else comes first.

        What is blocked is not shown, and nor is anything after it: the tallies say so.
        """
        self._text += self._view.add(raw, final)
        self._found += [one for one in await self._looks(final) if one.ruling == "redact"]
        if any(tally.ruling == "block" for tally in self._tallies):
            return ""
        end = self._begin + len(self._text)
        upto = min([end, *(eye.until for eye in self._eyes if eye.holds)])
        shown = self._shown(upto if final else self._view.cut(upto))
        self._forget()
        return shown

    async def _looks(self, final: bool) -> list[Finding]:
        """What is found by the guards that can decide about more of the text than before; those that wait do so beside
        each other."""
        found: list[Finding] = []
        waiting = []
        for eye in self._eyes:
            upto = eye.decides(self._text, self._begin, final)
            if upto > eye.until:
                look = eye.look(self._text, self._begin, upto, final, self._call)
                if eye.pure:
                    found += await look
                else:
                    waiting.append(look)
        return found + [one for findings in await asyncio.gather(*waiting) for one in findings]

    def _shown(self, upto: int) -> str:
        """The text up to there, less what is to be redacted."""
        if upto <= self._sweep.at:
            return ""
        now = [part for one in self._found for part in self._view.split(one) if part.start < upto]
        self._found = [one for one in self._found if one.end > upto]
        self.changed = self.changed or bool(now)
        return "".join(
            self._view.raw(start, end) if instead is None else self._view.written(start, instead)
            for start, end, instead in self._sweep.to(upto, now)
        )

    def _forget(self) -> None:
        needed = min([self._sweep.at, *(eye.needs for eye in self._eyes)])
        self._text, self._begin = self._text[needed - self._begin :], needed
