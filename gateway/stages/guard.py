"""Guard: what comes in, what is found for it and what goes out is looked at. Knows no detector, budget or backend.

All guards of a tenant look beside each other, each on its own deadline; what each made of it is told in the answer and
in the trace, of a refused request too. Invariants: a text goes on only once every guard that blocks or redacts has
decided about it; no text is told anywhere.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import orjson

from gateway.errors import Refusal
from gateway.exchange import Call, Finding, Guarded
from gateway.exchange.guarding import Where
from gateway.guards.asking import Report, Watch, ask
from gateway.guards.passages import screened
from gateway.guards.redaction import redacted
from gateway.guards.refusing import refused
from gateway.guards.screen import Screen
from gateway.guards.texts import changed, texts
from gateway.tracing import Trace
from retrieval.passage import Found
from serving.events import Deltas, End, Event

NAME = "guard"  # of the stage


class Guard:
    """Looks at texts. `asked` is called once per request, `said` once per generation or kept answer that is shown.

    `watches` are in the order of the settings' file.
    """

    def __init__(self, watches: Sequence[Watch] = ()) -> None:
        self._watches = tuple(watches)

    def digest(self, tenant: str) -> str:
        """What changes when the guards of what a tenant is answered do: an answer is kept as they left it."""
        over = [watch for watch in self._watches if watch.over("output", tenant) or watch.over("passages", tenant)]
        parts = [(watch.guard.name, watch.section.model_dump(mode="json", exclude={"tenants"})) for watch in over]
        return hashlib.sha256(orjson.dumps(parts)).hexdigest() if parts else ""

    async def asked(self, call: Call) -> Call:
        """The call as it may go on: redacted where that is asked. Raises ContentFilter, or Unready where a guard that
        fails closed gave no answer."""
        watches = self._over("input", call)
        if not watches:
            return call
        found = texts(call)
        with call.trace.stage(NAME) as stage:
            reports = await _beside(watches, [text for text, _ in found], call, "input")
            looked = tuple(report.looked() for report in reports)
            stage.facts = Guarded(looked).facts()
            if error := refused(looked, "input", _blocked(reports, [field for _, field in found])):
                raise error
        if all(one.ruling != "redact" for one in looked):
            return call
        left = iter(_left(reports, [text for text, _ in found]))
        return changed(call, lambda text, field: next(left))

    async def found(self, call: Call, passages: Sequence[Found]) -> tuple[Found, ...]:
        """The passages as they may be shown to a model: those that are blocked are left out, redacted ones redacted.

        Raises Unready where a guard that fails closed gave no answer.
        """
        watches = self._over("passages", call)
        if not watches or not passages:
            return tuple(passages)
        with call.trace.stage(NAME) as stage:
            reports = await _beside(watches, [one.passage.embedded for one in passages], call, "passages")
            looked = tuple(report.looked() for report in reports)
            stage.facts = Guarded(looked).facts()
            if error := refused([one for one in looked if one.failed], "passages"):
                raise error
        return screened(passages, [_merged(reports, at) for at in range(len(passages))])

    def said(
        self, call: Call, events: AsyncGenerator[Event, None], structured: bool = False
    ) -> AsyncGenerator[Event, None]:
        """The events as they may be shown; `structured`: the content is JSON. Raises ContentFilter, Unready where a
        guard that fails closed gave no answer, and whatever `events` raises."""
        watches = self._over("output", call)
        return _screened(Screen(watches, call, structured), call, events) if watches else events

    def _over(self, where: Where, call: Call) -> list[Watch]:
        return [watch for watch in self._watches if watch.over(where, call.caller.tenant)]


async def _screened(screen: Screen, call: Call, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """What was made of the answer is told before its end: who gets that has all there is."""
    end: End | None = None
    try:
        async with aclosing(events):
            async for event in events:
                match event:
                    case Deltas():
                        try:
                            shown = await screen.shown(event)
                        except Refusal:
                            yield Deltas((), event.usage)  # what is blocked was generated, and is billed
                            raise
                        yield shown
                    case End():
                        end = event
                    case _:
                        yield event
        if (rest := await screen.rest()).pieces:
            yield rest
    finally:
        _note(call.trace, screen)
    if end:
        yield end


async def _beside(watches: Sequence[Watch], texts: Sequence[str], call: Call, where: Where) -> list[Report]:
    return list(await asyncio.gather(*(ask(watch, texts, call, where) for watch in watches)))


def _merged(reports: Sequence[Report], at: int) -> list[Finding]:
    return [one for report in reports for one in report.found[at]]


def _blocked(reports: Sequence[Report], fields: Sequence[str]) -> str | None:
    """The field of the first text that is blocked."""
    blocked = (field for at, field in enumerate(fields) if any(one.ruling == "block" for one in _merged(reports, at)))
    return next(blocked, None)


def _left(reports: Sequence[Report], texts: Sequence[str]) -> list[str]:
    """The texts less what is redacted."""
    return [
        redacted(text, [one for one in _merged(reports, at) if one.ruling == "redact"]) for at, text in enumerate(texts)
    ]


def _note(trace: Trace, screen: Screen) -> None:
    """One stage for all that was done while the answer came: as long as its guards took."""
    looked = screen.looked
    took = int(sum(one.ms for one in looked) * 1e6)
    trace.note(NAME, time.perf_counter_ns() - took, **Guarded(looked).facts())
