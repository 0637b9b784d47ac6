"""A long text, looked at by a guard with a reach in windows, in a thread that can be told to stop. Knows no settings.

Whether a finding begins at a character is decided by `before` characters before it and `reach` from it on
(`gateway.guards.protocols`), so that what begins in a window is found in it with that much around it.

Invariants: what is found is what the guard finds; a look whose asker has gone ends with its window, some 0.2 s for the
slowest text that is known; there are never more than THREADS of them, and what else runs in threads waits for none.
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

from gateway.exchange import Call, Finding
from gateway.exchange.guarding import Where
from gateway.guards.protocols import Guard, GuardFailed

WINDOW = 16_384  # characters; of `"4 "` without end, the slowest that is known, `pii` takes some 10 us for each
THREADS = 2  # the interpreter runs one at a time: more would only share its time

_threads = ThreadPoolExecutor(THREADS, "guards")


async def found(guard: Guard, texts: Sequence[str], call: Call, where: Where) -> list[Sequence[Finding]]:
    """The findings in each text. Raises what the guard does; GuardFailed where it waits for something."""
    gone = Event()
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, _all, guard, texts, call, where, gone)
    finally:
        gone.set()


def _all(guard: Guard, texts: Sequence[str], call: Call, where: Where, gone: Event) -> list[Sequence[Finding]]:
    return [list(_windowed(guard, text, call, where, gone)) for text in texts]


def _windowed(guard: Guard, text: str, call: Call, where: Where, gone: Event) -> Iterator[Finding]:
    reach = guard.reach or 0
    size = max(WINDOW, reach)
    for start in range(0, max(1, len(text)), size):
        if gone.is_set():
            return
        first = max(0, start - guard.before)
        for one in _driven(guard, text[first : start + size + reach], call, where):
            if start <= one.start + first < start + size:
                yield replace(one, start=one.start + first, end=one.end + first)


def _driven(guard: Guard, text: str, call: Call, where: Where) -> Sequence[Finding]:
    """The findings of a guard that awaits nothing, without an event loop."""
    finding = guard.find(text, call, where)
    try:
        finding.send(None)
    except StopIteration as done:
        found: Sequence[Finding] = done.value
        return found
    finding.close()
    raise GuardFailed("it has a reach and yet waits for something")
