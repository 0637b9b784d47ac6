"""How much of something can be kept: guessed by a straight line, verified by counting.

A count of a long prompt takes as long as to tokenize it, so a search by halves would be dear: 14 counts. Tokens grow
almost evenly with bytes, so that a straight line between two counts nearly always hits within SLACK at once.

Invariants: what is found was counted and fits; the search ends, whatever the counts are.
"""

from collections.abc import Awaitable, Callable

SLACK = 0.02  # of the room, that may stay empty: less is not worth another count
HALVES = 3  # every so many guesses the middle is taken instead: then no shape of the counts makes it slow
TRIES = 24


async def largest(
    count: Callable[[int], Awaitable[int]], size: int, least: int, whole: int, room: int
) -> tuple[int, int]:
    """The largest found of 0 to `size` whose count is at most `room`, and that count.

    `least` is the count of 0, which fits, `whole` that of `size`. Raises what `count` raises.
    """
    if whole <= room:
        return size, whole
    low, at_low, high, at_high = 0, least, size, whole
    for tried in range(1, TRIES):
        if high - low <= 1 or room - at_low <= SLACK * room:
            break
        guess = (low + high) // 2 if tried % HALVES == 0 else _between(low, at_low, high, at_high, room)
        found = await count(guess)
        if found <= room:
            low, at_low = guess, found
        else:
            high, at_high = guess, found
    return low, at_low


def _between(low: int, at_low: int, high: int, at_high: int, room: int) -> int:
    """Where the line through both counts comes to just below the room."""
    aim = room * (1 - SLACK / 2)
    guess = low + int((high - low) * (aim - at_low) / max(at_high - at_low, 1))
    return min(max(guess, low + 1), high - 1)
