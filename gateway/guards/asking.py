"""One guard is asked about texts: on its deadline, and what it may do is bounded by the settings. Knows no request.

Invariants: whatever a guard does, an answer comes: its findings, or why it gave none; no text is told or logged; a long
text does not hold the event loop.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gateway.exchange import Call, Finding, Looked
from gateway.exchange.guarding import Ruling, Where, highest, lower
from gateway.guards import windows
from gateway.guards.protocols import Guard, GuardFailed
from gateway.settings import AnyGuard
from serving.frozen import dataclass

log = logging.getLogger("tollgate.guards")

# Characters that a pure guard is asked about in the event loop: with 10 MB/s of expressions these are some 2 ms.
INLINE_CHARS = 20_000
BESIDE = 8  # texts of one request that another server is asked about at the same time
Found = tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Watch:
    """A guard, and what the settings want of it."""

    guard: Guard
    section: AnyGuard

    def over(self, where: Where, tenant: str) -> bool:
        return where in self.section.on and (self.section.tenants is None or tenant in self.section.tenants)

    @property
    def holds(self) -> bool:
        """Whether a text must wait for it: what is only told may be told afterwards."""
        return self.section.action != "flag"


@dataclass(frozen=True, slots=True)
class Report:
    """What a guard found in each text, with what becomes of it. `failed`: why it gave no answer, and found nothing."""

    watch: Watch
    where: Where
    found: tuple[Found, ...]
    failed: str | None
    ms: float

    @property
    def ruling(self) -> Ruling:
        if self.failed:
            return "block" if self.watch.section.fail == "closed" else "pass"
        return highest(one.ruling for found in self.found for one in found)

    def looked(self) -> Looked:
        kinds = Counter(one.kind for found in self.found for one in found)
        return Looked(
            self.watch.guard.name, self.where, self.ruling, tuple(sorted(kinds.items())), self.failed, self.ms
        )


async def ask(watch: Watch, texts: Sequence[str], call: Call, where: Where) -> Report:
    """What the guard finds in each of the texts. Raises nothing but what cancels it."""
    began, found, failed = time.perf_counter_ns(), tuple[Found, ...](() for _ in texts), None
    try:
        if watch.guard.reach is not None and sum(map(len, texts)) <= INLINE_CHARS:  # nothing is waited for
            answers = [await watch.guard.find(text, call, where) for text in texts]
        else:
            async with asyncio.timeout(watch.section.deadline_s):
                answers = await _found(watch.guard, texts, call, where)
        found = tuple(_ruled(watch, text, answer) for text, answer in zip(texts, answers, strict=True))
    except TimeoutError:
        failed = f"no answer within {watch.section.deadline_s:g} s"
    except Exception as error:
        failed = _reason(error)
    if failed:
        log.warning("the guard %s gave no answer on request %s: %s", watch.guard.name, call.request_id, failed)
    return Report(watch, where, found, failed, (time.perf_counter_ns() - began) // 1000 / 1000)


async def _found(guard: Guard, texts: Sequence[str], call: Call, where: Where) -> list[Sequence[Finding]]:
    if guard.reach is None:
        return await _beside(guard, texts, call, where)
    return await windows.found(guard, texts, call, where)


async def _beside(guard: Guard, texts: Sequence[str], call: Call, where: Where) -> list[Sequence[Finding]]:
    limit = asyncio.Semaphore(BESIDE)

    async def one(text: str) -> Sequence[Finding]:
        async with limit:
            return await guard.find(text, call, where)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(text)) for text in texts]
    return [task.result() for task in tasks]


def _ruled(watch: Watch, text: str, found: Sequence[Finding]) -> Found:
    """The findings with what becomes of them. Raises GuardFailed where they cannot be of this text."""
    if any(not 0 <= one.start < one.end <= len(text) for one in found):
        raise GuardFailed("it found something outside of the text")
    return tuple(replace(one, ruling=lower(one.ruling, watch.section.action)) for one in found)


def _reason(error: Exception) -> str:
    """Why, without the error's own words, which may quote the text."""
    if isinstance(error, ExceptionGroup):
        return _reason(error.exceptions[0])
    return str(error) if isinstance(error, GuardFailed) else type(error).__name__
