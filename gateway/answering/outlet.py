"""What of its attempts an answer shows: in `verdict` mode each piece as it comes, in `strict` mode nothing unjudged.

Knows no remedy. Invariants: one Start and one End are given for all attempts together; the usage that goes out is that
of all attempts so far, and goes out while they run, so that a client that leaves pays for what was thrown away; a piece
that passes is not copied.
"""

from collections.abc import Iterator
from dataclasses import replace

from gateway.exchange import Mode
from serving.events import Completion, Deltas, End, Event, Start, Usage


class Outlet:
    """Of one answer. `said`: something was shown that cannot be taken back."""

    def __init__(self, mode: Mode) -> None:
        self._strict = mode == "strict"
        self.said = False
        self._started = False
        self._spent = Usage()  # by the attempts before
        self._held: list[Event] = []

    @property
    def strict(self) -> bool:
        return self._strict

    def anew(self, spent: Usage) -> None:
        """Another attempt begins: what is held of the last one, which has used so much, is thrown away."""
        self._held.clear()
        self._spent = self._spent + spent

    def take(self, event: Event) -> Event | None:
        """An event of the attempt: what of it goes out at once."""
        event = self._added(event)
        if self._strict or isinstance(event, End):
            self._held.append(event)
            return None if isinstance(event, Start) or event.usage is None else Deltas((), event.usage)
        if isinstance(event, Start):
            started, self._started = self._started, True
            return None if started else event
        self.said = self.said or bool(event.pieces)
        return event

    def given(self, repaired: Completion | None) -> Iterator[Event]:
        """What is held: the attempt is the answer. It is said in the words of the `repaired` one, where there is."""
        if repaired is None or not self._strict:
            yield from self._held
            return
        yield from (event for event in self._held if isinstance(event, Start))
        yield Deltas(tuple(choice.piece() for choice in repaired.choices))
        yield from (event for event in self._held if isinstance(event, End))

    def whole(self, completion: Completion) -> Completion:
        """The completion of the attempt that is the answer, with the usage of all."""
        if completion.usage is None or not self._spent.total_tokens:
            return completion
        return replace(completion, usage=self._spent + completion.usage)

    def _added(self, event: Event) -> Event:
        if isinstance(event, Start) or event.usage is None or not self._spent.total_tokens:
            return event
        return replace(event, usage=self._spent + event.usage)
