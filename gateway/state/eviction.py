"""What a full cache gives up first, and how much of its work is done at once. Pure, and the same for every store.

What has expired goes first. Then goes what has the lowest priority, by GreedyDual-Size-Frequency (Cherkasova 1998, HP
Labs HPL-98-69): `age + worth`, set when an answer is stored and each time it is served. `age` is the priority of what
went last, so that what was worth much once, and is asked for no more, is overtaken by what comes in.
All answers count as of one size: the bound is a number of them.
"""

import hashlib

ENTRIES = 100_000  # with a body of 2 KB and a vector of 384 floats each some 500 MB
LOG = 100_000  # changes that are remembered: to read more than that is to read everything anew
PAGE = 200  # rows a transaction or a round trip: with a vector of 384 floats each 300 kB, about a millisecond
SWEPT = 50  # answers that one `put` removes at most, one step of Redis any: some 3 ms, in which it serves nobody else
SPREAD = 0.1  # of a life: answers that were made together expire over a tenth of it


def worth(saves: int, uses: int) -> int:
    """What an answer has saved, and will save once more: tokens. One that says nothing of that counts as one token."""
    return max(1, saves) * (1 + uses)


def lifetime(ttl_s: float, key: str) -> float:
    """Seconds from 1 - SPREAD of `ttl_s` up to all of it, the same for the same key."""
    share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32
    return ttl_s * (1 - SPREAD * share)
