"""Finish: an answer that was cut by length is returned, asked again or continued, as the policy says. Knows no wire.

    error, return   the one generation, as it came (the check judges it)
    retry           the first generation is held back; if it was cut, a second one gets the larger ceiling
    continue        the answer goes on where it stopped, in the same stream, until it stops by itself or rounds run out

Invariants: usage is that of all generations together; the attempts are those that preflight planned, so the hold
covers them; nothing of a generation that is thrown away reaches the client, but its usage reaches the ledger.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from gateway.exchange import Call, Packed, Plan
from gateway.stages.check import honest
from gateway.stages.route import Route
from serving.events import Deltas, End, Event, Fold, Start, Usage

LENGTH = "length"


class Finish:
    """Runs the generations of one answer."""

    def __init__(self, route: Route) -> None:
        self._route = route

    def __call__(self, call: Call, packed: Packed, plan: Plan) -> AsyncGenerator[Event, None]:
        """The events of one answer. Raises BackendError."""
        match packed.prompt.on_length:
            case "retry":
                return self._retry(call, packed, plan)
            case "continue":
                return self._continue(call, packed, plan)
        return self._route(call, packed, plan.output)

    async def _retry(self, call: Call, packed: Packed, plan: Plan) -> AsyncGenerator[Event, None]:
        held: list[Event] = []
        answer, usage = Fold(), Usage()
        async with aclosing(self._route(call, packed, plan.output)) as first:
            async for event in first:
                held.append(event)
                answer.add(event)
                if not isinstance(event, Start) and event.usage:
                    usage = event.usage
                    yield Deltas((), usage)  # for the ledger: the client may leave, the second one may fail
        if len(plan.attempts) == 1 or not any(
            choice.finish_reason == LENGTH for choice in honest(answer.completion()).choices
        ):
            for event in held:
                yield event
            return
        more = plan.attempts[-1].output // int(packed.prompt.fields.get("n") or 1)
        async with aclosing(self._route(call, packed, more)) as second:
            async for event in second:
                yield _added(event, usage)

    async def _continue(self, call: Call, packed: Packed, plan: Plan) -> AsyncGenerator[Event, None]:
        usage, said, started = Usage(), "", False
        for number, attempt in enumerate(plan.attempts, start=1):
            async with aclosing(self._route(call, packed, attempt.output, said or None)) as part:
                async for event in part:
                    match event:
                        case Start() if started:
                            continue
                        case Start():
                            started = True
                        case Deltas():
                            said += event.text
                        case End() if _cut(event) and said and number < len(plan.attempts):
                            usage = usage + (event.usage or Usage())
                            continue
                    yield _added(event, usage)
                    if isinstance(event, End):
                        return


def _cut(end: End) -> bool:
    return any(stop.finish_reason == LENGTH for stop in end.stops)


def _added(event: Event, usage: Usage) -> Event:
    """The event with the usage of earlier generations added."""
    if isinstance(event, Start) or event.usage is None:
        return event
    return replace(event, usage=usage + event.usage)
