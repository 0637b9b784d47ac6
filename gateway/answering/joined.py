"""`continue`: an answer that its ceiling cut is gone on with where it stopped, part by part, in one stream.

The parts make the text that one generation would have made: from the tokens themselves where the engine gives their
ids, else from the text, as well as that can be read again (`gateway.answering.begun`). Nothing is said twice: tokens
whose text was held back, being the first bytes of a character, are generated again. Nothing is said too soon: what may
become a stop string waits for what follows the seam (`gateway.answering.stops`). At a temperature above 0 each part
draws its own chances: the same seed in the same parts gives the same answer, which is not that made at once.

An answer is gone on with as long as each part says something and ends at its own ceiling; not when the window is full,
nor where `obstacle` names a field against it. Where only its text is known, that must be all that the model said: a
chat template leaves reasoning out, so nothing could be shown to go on from.

Invariants: one `Start`, one `End` with the usage of all parts, each billed as the engine counted it, its input too. No
token id leaves here. A part that fails once the first has begun breaks the stream.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace

from gateway.answering.begun import Begun, obstacle
from gateway.answering.stops import Stops
from gateway.exchange import Attempt, Call, Packed, Prompt
from gateway.stages.route import Route
from serving.events import Delta, Deltas, End, Event, Start, Stop, Usage

TEXT = frozenset({"role", "content"})


class Joined:
    """Joins the generations that `route` makes."""

    def __init__(self, route: Route) -> None:
        self._route = route

    async def __call__(
        self, call: Call, packed: Packed, output: int, parts: tuple[Attempt, ...]
    ) -> AsyncGenerator[Event, None]:
        """One generation of `output` tokens at most, gone on with by each of `parts` in turn. Raises BackendError."""
        answer, left = _Answer(packed.prompt), [] if obstacle(packed.prompt) else [part.output for part in parts]
        begun, ceiling = Begun() if left else None, output
        while True:
            async with aclosing(self._route(call, packed, ceiling, begun)) as part:
                async for event in part:
                    for told in answer.hears(event):
                        yield told
                    if answer.over:
                        return
            begun = await self._route.shown(answer.begun(call)) if left and answer.cut(ceiling) else None
            if begun is None or not (begun.ids or answer.plain):
                for told in answer.ending():
                    yield told
                return
            ceiling = left.pop(0)
            answer.seam(begun)


class _Answer:
    """What was heard of an answer. `plain`: nothing but text; `over`: it ended at a stop string across a seam."""

    def __init__(self, prompt: Prompt) -> None:
        stop = prompt.fields.get("stop") or ()
        strings = (stop,) if isinstance(stop, str) else tuple(stop)
        self._stops = Stops(strings, bool(prompt.fields.get("include_stop_str_in_output")))
        self._said: list[str] = []
        self._before = self._usage = Usage()  # of the parts before, and of this one
        self._tokens = 0  # of the parts before that are gone on from
        self._start: Start | None = None  # of this part
        self._ids: list[int] = []
        self._end: End | None = None
        self._began = False  # this part has said something
        self.plain, self.over = True, False

    def hears(self, event: Event) -> Iterator[Event]:
        """What of an event is told at once."""
        match event:
            case Start():
                if self._start is None:
                    yield replace(event, prompt_ids=())
                self._start = event
            case Deltas():
                yield self._deltas(event)
                if self._stops.found is not None:
                    self.over = True
                    yield self._stopped()
            case End():
                self._end, self._usage = event, event.usage or self._usage

    def cut(self, ceiling: int) -> bool:
        """Whether this part said something, was ended by its own ceiling, and is known well enough to be gone on with.

        Ids that are not all there (of hidden reasoning) are no answer.
        """
        length = self._end is not None and all(stop.finish_reason == "length" for stop in self._end.stops)
        known = len(self._ids) == self._usage.output_tokens if self._ids else self.plain
        return length and self._began and known and self._usage.output_tokens >= ceiling

    def begun(self, call: Call) -> Begun:
        """All that there is so far, as the one who answered may go on with it."""
        route = call.trace.last("route")
        facts = route.facts if route else {}
        tokens = self._tokens + self._usage.output_tokens
        prompt = self._start.prompt_ids if self._start else ()
        ids = tuple(self._ids) if prompt else ()
        return Begun(facts["model"], facts["backend"], "".join(self._said), tokens, prompt, ids)

    def seam(self, begun: Begun) -> None:
        """Another part follows."""
        self._before, self._usage = self._before + self._usage, Usage()
        self._tokens, self._ids, self._began = begun.tokens, [], False
        self._stops.seam()

    def ending(self) -> Iterator[Event]:
        """The last events."""
        assert self._end
        reason = self._end.stops[0].stop_reason
        unsaid = reason if isinstance(reason, str) and not self._stops.included else ""
        if rest := self._stops.rest(unsaid):
            yield Deltas((Delta(0, {"content": rest}),))
        yield self._stopped() if self._stops.found else replace(self._end, usage=self._before + self._usage)

    def _stopped(self) -> End:
        """Its end at a stop string across a seam."""
        return End((Stop(0, "stop", self._stops.found),), self._before + self._usage)

    def _deltas(self, event: Deltas) -> Deltas:
        """The text that may be said, with the usage of all parts."""
        self._ids += event.ids
        self._said.append(event.text)
        self._began = self._began or bool(event.text)
        self.plain = self.plain and not any(map(_more, event.pieces))
        self._usage = event.usage or self._usage
        usage = self._before + event.usage if event.usage else None
        return Deltas(tuple(self._let(event.pieces)), usage)

    def _let(self, pieces: tuple[Delta, ...]) -> Iterator[Delta]:
        for piece in pieces:
            if self._stops.found is not None:
                return
            text = self._stops.add(piece.text) if piece.text else ""
            if text == piece.text:
                yield piece
            elif text or _more(piece):
                yield replace(piece, delta={**piece.delta, "content": text})


def _more(piece: Delta) -> bool:
    """Whether it says more than text."""
    return any(value for name, value in piece.delta.items() if name not in TEXT)
