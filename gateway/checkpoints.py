"""What a call is charged if its process dies: its checkpoints, beside its hold. Decides nothing, knows no settlement.

The first one rides in the hold itself, so that a request is on file as sent before it is; of a prompt that passages are
yet to be added to it is written when that leaves. The others follow the stream. Nobody waits for those writes, which
take less time than the engine does.

Invariant: what a killed process can lose of a running answer is CHECKPOINT_TOKENS or CHECKPOINT_S, whichever is less.
"""

import time
from typing import Any

from gateway.findings import Findings
from gateway.shielded import background
from gateway.state import Budgets, Unit
from serving.events import Usage

CHECKPOINT_S = 1.0
CHECKPOINT_TOKENS = 256

Note = tuple[dict[Unit, int], dict[str, Any]]  # amounts, and the columns of the journal that say the same
NOTHING: Note = ({}, {})


class Checkpoints:
    """Of one call."""

    __slots__ = ("_budgets", "_findings", "_request_id", "_tokens", "_when")

    def __init__(self, request_id: str, findings: Findings, budgets: Budgets) -> None:
        self._request_id, self._findings, self._budgets = request_id, findings, budgets
        self._when, self._tokens = 0.0, 0  # of the last one

    def of_hold(self) -> Note:
        """The one that the hold brings along: the prompt, where the request is on its way as soon as it is held."""
        prompt, plan = self._findings.prompt, self._findings.plan
        return self._noted(Usage(plan.input.tokens)) if plan and prompt and not prompt.retrieve else NOTHING

    def leaving(self, prompt: int) -> None:
        """A prompt of so many tokens is sent now."""
        if not self._tokens:
            self._write(Usage(prompt))

    def used(self, usage: Usage) -> None:
        """So much has been used until now."""
        if time.monotonic() - self._when >= CHECKPOINT_S or usage.total_tokens - self._tokens >= CHECKPOINT_TOKENS:
            self._write(usage)

    def _write(self, usage: Usage) -> None:
        background(self._budgets.checkpoint(self._request_id, *self._noted(usage)))

    def _noted(self, usage: Usage) -> Note:
        self._when, self._tokens = time.monotonic(), usage.total_tokens
        columns = self._findings.spent(usage)
        return amounts(1, usage, columns["cost_nano"]), columns


def amounts(requests: int, usage: Usage, cost: int | None) -> dict[Unit, int]:
    """What a call has used, in every unit; `cost` in nano-dollars, None without a price."""
    used: dict[Unit, int] = {"requests": requests, "tokens": usage.total_tokens}
    return used if cost is None else used | {"usd": cost}
