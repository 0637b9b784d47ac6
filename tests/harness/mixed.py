"""A crowd of requests of every kind, drawn by seed: what each asks, how the backend behaves, when the client leaves.

Both sides draw the same case from the number that the request carries to the backend (`seed`), so that nothing has to
be told between them. A fifth of the clients leave; a third of the answers are spoiled somehow.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.backend import FIN, FLOOD, HANG, JSON, RST, STREAM, Script, Seen, Step
from tests.fakes.said import BAD_BYTES, LIES, choices, dripping, faulted, gzipped, lying, said, stopped
from tests.harness.client import How, Leave, Reply, Slow, chat
from tests.harness.counting import ASKED

MOST = 24  # tokens an answer may have
DRIP_S = 0.02
ERROR = b'{"error": {"message": "scripted", "type": "InternalServerError", "param": null, "code": 500}}'


@dataclass(frozen=True, slots=True)
class Case:
    """One request: its body, the backend's script, and what its client does."""

    body: dict[str, Any]
    script: Script
    leave: Leave | None
    slow: Slow | None


def case(seed: int) -> Case:
    draw = random.Random(seed)
    texts = [f"w{number} " for number in range(draw.randint(1, MOST))]
    several, streamed = draw.random() < 0.1, draw.random() < 0.7
    steps = choices(*texts) if several else draw.choice((said(*texts), stopped(*texts), said(*texts, finish="length")))
    body: dict[str, Any] = {
        "model": "hasty",
        "messages": ASKED,
        "max_tokens": MOST + 1,
        "seed": seed,
        "stream": streamed,
    }
    if several:
        body["n"] = 2
    return Case(body, _script(draw, steps), _leave(draw, streamed), Slow() if draw.random() < 0.02 else None)


def script(seen: Seen) -> Script:
    """For `FakeBackend.usual`."""
    return case(seen.body["seed"]).script


def _script(draw: random.Random, steps: Sequence[bytes]) -> Script:
    if draw.random() < 0.67:
        return Script(tuple(steps))
    cut = steps[: draw.randint(0, len(steps))]
    kind = draw.choice(
        ("drip", "drip", "rst", "fin", "hang", "status", "lie", "lie", "lie", "bad", "gzip", "flood", "fault")
    )
    match kind:
        case "drip":
            return Script(dripping(DRIP_S, steps))
        case "status":
            return Script((ERROR,), draw.choice((400, 429, 500, 503)), JSON)
        case "lie":
            return Script(lying(draw.choice(list(LIES)), steps))
        case "bad":
            return Script((*cut, draw.choice(BAD_BYTES)))
        case "gzip":
            return Script(gzipped(steps), headers=STREAM | {"content-encoding": "gzip"})
        case "fault":
            return Script(faulted("scripted"))
    breaks: dict[str, Step] = {"rst": RST, "fin": FIN, "hang": HANG, "flood": FLOOD}
    return Script((*cut, breaks[kind]))


def _leave(draw: random.Random, streamed: bool) -> Leave | None:
    """A fifth of the clients do not stay; one of an answer that is not streamed leaves before it comes."""
    if draw.random() >= 0.2:
        return None
    how = draw.choice(list(How))
    return Leave(events=draw.randint(0, MOST), how=how) if streamed else Leave(bytes=0, how=how)


async def crowd(url: str, keys: Sequence[str], seeds: Iterator[int], at_once: int) -> list[Reply]:
    """All of them, so many at once, each under a key that its seed decides."""
    replies: list[Reply] = []

    async def worker() -> None:
        for seed in seeds:
            one = case(seed)
            replies.append(await chat(url, keys[seed % len(keys)], one.body, one.leave, one.slow))

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return replies
