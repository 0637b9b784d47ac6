"""One attempt as it comes: folded for the judgement, and watched while it grows. Knows no remedy.

Each piece is looked at once; nothing of the text so far is copied.
"""

from gateway.exchange import Format
from gateway.schemas.progress import Progress
from serving.errors import BackendError
from serving.events import Completion, Deltas, End, Event, Fold, Start, Stop, Usage


class Attempted:
    """What one attempt has said. `fault` is set once it can no longer satisfy its format, where that is `watched`;
    `failure` is what broke it."""

    def __init__(self, format: Format, *, watched: bool) -> None:
        self._format, self._watched = format, watched and format.structured
        self._fold, self._grown = Fold(), dict[int, Progress]()
        self.began = False
        self.fault: str | None = None
        self.failure: BackendError | None = None
        self.usage = Usage()

    def add(self, event: Event) -> None:
        self._fold.add(event)
        match event:
            case Start():
                self.began = True
            case Deltas():
                self.usage = event.usage or self.usage
                if self._watched:
                    self._watch(event)
            case End():
                self.usage = event.usage or self.usage

    def completion(self) -> Completion:
        """The whole answer; of one that was stopped for its `fault`, what there is of it."""
        if self.fault is not None:
            self._fold.add(End(tuple(Stop(index, "stop") for index in self._grown), self.usage))
        return self._fold.completion()

    def _watch(self, deltas: Deltas) -> None:
        for piece in deltas.pieces:
            if piece.text and self.fault is None:
                grown = self._grown.setdefault(piece.index, Progress(self._format))
                self.fault = grown.add(piece.text)
