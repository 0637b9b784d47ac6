"""A kept answer: as bytes in the store, and as the events of a new one. Knows no key and no decision."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import orjson

from gateway.exchange import Call, Verdict
from serving.events import Choice, Completion, Deltas, End, Event, Start, Stop, Usage


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer from the store; `gateway.exchange.Given`."""

    completion: Completion
    verdict: Verdict

    async def events(self, call: Call) -> AsyncGenerator[Event, None]:
        kept = self.completion
        yield started(call, kept.start)
        yield Deltas(tuple(choice.piece() for choice in kept.choices))
        yield ended(kept)


def started(call: Call, start: Start) -> Start:
    """The beginning of an answer as that of another request's."""
    return Start(f"chatcmpl-{call.request_id}", int(call.at), start.model, start.fingerprint)


def ended(completion: Completion) -> End:
    stops = tuple(Stop(choice.index, choice.finish_reason, choice.stop_reason) for choice in completion.choices)
    return End(stops, completion.usage)


def packed(completion: Completion, verdict: Verdict) -> bytes:
    """As JSON, for `gateway.state.Entry.body`."""
    return orjson.dumps({"completion": completion, "verdict": verdict}, default=dict)


def unpacked(body: bytes) -> Kept:
    """What `packed` made."""
    parts = orjson.loads(body)
    kept, verdict = parts["completion"], parts["verdict"]
    usage = Usage(**kept["usage"]) if kept["usage"] else None
    choices = tuple(Choice(**choice) for choice in kept["choices"])
    return Kept(Completion(Start(**kept["start"]), choices, usage), Verdict(**verdict))
