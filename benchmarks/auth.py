"""What it costs to refuse a key: one whose id is known, one that is wrong in its last digit, one whose id is unknown.

    python -m benchmarks.auth [--rounds 3000]

The kinds take turns, so that a busy machine slows all of them alike; the good key is used all the while, so that it is
fresh in memory as a busy key is. Prints the median of each and its ratio to the unknown id: near 1 means that time does
not tell which ids there are. Reads a SQLite file in a folder that it removes.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import suppress

from gateway.api.auth import authenticate
from gateway.errors import Unauthenticated
from gateway.keyring import SECRET_BYTES, issue, mint
from gateway.state import Limit, State, Tenant
from gateway.state.open import open_state
from gateway.state.recent import RecentKeys

LIMITS = (Limit("tokens", "day", 10**9), Limit("requests", "minute", 10**6))


async def refused(state: State, recent: RecentKeys, token: str) -> float:
    """Microseconds until this token is refused (or let in)."""
    headers, now, began = {"authorization": f"Bearer {token}"}, state.clock.now(), time.perf_counter()
    with suppress(Unauthenticated):
        await authenticate(headers, state.keys, now, recent)
    return (time.perf_counter() - began) * 1e6


async def measure(url: str, rounds: int) -> None:
    state = await open_state(url)
    await state.keys.add_tenant(Tenant("acme", LIMITS, state.clock.now()))
    good = (await issue(state.keys, "bench", "acme", state.clock.now(), LIMITS)).full
    known, recent = good[: -2 * SECRET_BYTES], RecentKeys(state.keys)
    took: dict[str, list[float]] = {"unknown id": [], "known id": [], "near miss": [], "good key": []}
    for _ in range(rounds):
        tokens = mint()[2], known + mint()[1], good[:-1] + ("0" if good[-1] != "0" else "1"), good
        for times, token in zip(took.values(), tokens, strict=True):
            times.append(await refused(state, recent, token))
    await state.close()
    base = statistics.median(took["unknown id"])
    print("key          median us   ratio")
    for kind, times in took.items():
        print(f"{kind:12} {statistics.median(times):9.1f} {statistics.median(times) / base:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3000)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(f"sqlite:///{folder}/state.db", parser.parse_args().rounds))


if __name__ == "__main__":
    main()
