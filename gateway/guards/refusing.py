"""What guards made of texts as a refusal: which one, and what it found, never the text. Knows no guard."""

from collections.abc import Sequence
from typing import Final

from gateway.errors import ContentFilter, Refusal, Unready
from gateway.exchange import Looked
from gateway.exchange.guarding import Where

_WHAT: Final = {"input": "request", "passages": "passages", "output": "answer"}
_DO: Final = {
    "input": "take it out and ask again",
    "passages": "ask without them, or for others",
    "output": "ask for something else",
}


def refused(looked: Sequence[Looked], where: Where, param: str | None = None) -> Refusal | None:
    """Why the texts may not go on; None where they may. `param`: the field that holds what is blocked.

    ContentFilter where a guard blocks; Unready (503) where one that fails closed gave no answer, which is no fault of
    the client's, and may be better the next time.
    """
    blocking = [one for one in looked if one.ruling == "block"]
    for one in blocking:
        if not one.failed:
            found = ", ".join(f"{kind} ({count})" for kind, count in one.found)
            message = f"The guard {one.guard!r} blocks this {_WHAT[where]}: it holds {found}; {_DO[where]}."
            return ContentFilter(message, param=param)
    for one in blocking:
        message = f"The guard {one.guard!r} could not look at this {_WHAT[where]}, so it does not go on; try again."
        return Unready(message, code="guard_unavailable")
    return None
