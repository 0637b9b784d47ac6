"""Guards that find what a test says, and how a test runs them."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from gateway.exchange import Call, Finding
from gateway.exchange.guarding import Where
from gateway.guards.asking import Watch
from gateway.settings import AnyGuard, Webhook

Action = Literal["block", "redact", "flag"]


class Pure:
    """Finds a pattern's matches, of at most `reach` characters with what they depend on; holds back `reach`."""

    def __init__(self, pattern: str, kind: str = "X", reach: int = 8, name: str = "pure") -> None:
        self.name, self.reach, self.before, self._kind = name, reach, reach, kind
        self._pattern = re.compile(f"(?=({pattern}))", re.DOTALL)  # overlapping ones too: no match hides another
        self.asked: list[str] = []

    def held(self, text: str) -> int:
        return min(self.reach, len(text))

    async def find(self, text: str, call: Call, where: Where) -> Sequence[Finding]:
        self.asked.append(text)
        spans = (match.span(1) for match in self._pattern.finditer(text))
        return [Finding(start, end, self._kind, f"[{self._kind}]") for start, end in spans if end > start]


class Whole:
    """Judges whole texts, as `judge` says; it may wait, fail or lie."""

    reach, before = None, 1_000

    def __init__(self, judge: Callable[[str], Awaitable[Sequence[Finding]]], name: str = "whole") -> None:
        self.name, self._judge = name, judge
        self.asked: list[str] = []

    def held(self, text: str) -> int:
        raise AssertionError("it has no reach")

    async def find(self, text: str, call: Call, where: Where) -> Sequence[Finding]:
        self.asked.append(text)
        return await self._judge(text)


def everywhere(pattern: str, kind: str = "W") -> Callable[[str], Awaitable[Sequence[Finding]]]:
    """The judgement that finds a pattern's matches."""

    async def judge(text: str) -> Sequence[Finding]:
        await asyncio.sleep(0)
        return [Finding(m.start(), m.end(), kind, f"[{kind}]") for m in re.finditer(pattern, text)]

    return judge


def watch(guard: Any, action: Action = "redact", **section: Any) -> Watch:
    """The guard under settings."""
    return Watch(guard, AnyGuard(action=action, on=("input", "passages", "output"), **section))


def remote(guard: Any, action: Action = "redact", **section: Any) -> Watch:
    """The same with the settings of one that judges whole texts."""
    known = {"kind": "webhook", "url": "http://a", "on": ("input", "passages", "output"), "deadline_s": 30.0}
    return Watch(guard, Webhook.model_validate({**known, "action": action, **section}))
