"""The ledger: every call has one entry, and every way out of the call passes its settlement.

    async with ledger.open(call) as entry:
        await entry.hold(ceiling)         # set aside before it is spent, durable before anything is sent
        entry.observe(event)              # usage so far: a hang-up is priced exactly
        closed = await entry.finish(...)  # settled and journalled before the client sees the last event

Whoever leaves without `finish` (a refusal, a broken backend, a client that hung up, a cancelled task) is settled by the
scope, in a bounded and shielded step, at the usage observed so far. Knows no HTTP; it is told prompts, plans and
verdicts and keeps only their facts.

Invariants: at most one hold and one settlement per call; one journal row per call, written in the settlement's own
step; what is booked was observed. Where nothing was, the prompt is booked of a client that leaves once its request was
sent, and of an answer that broke before its first count: the engine has read it. What is booked when this process dies
is what its checkpoints say.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

from gateway.checkpoints import NOTHING, Checkpoints, amounts
from gateway.errors import LEFT, NotAllowed, Wire
from gateway.exchange import Call, Closed, Opened, Packed
from gateway.findings import Findings, V
from gateway.limits import refusal
from gateway.prices import Prices, usd
from gateway.record import Record
from gateway.shielded import SETTLE_S, drained, insisted, protected
from gateway.state import Balance, Budgets, Hold, Journal, OverLimit, Unit
from gateway.tracing import Trace
from serving.events import Completion, Deltas, End, Event, Start, Usage

log = logging.getLogger("tollgate.ledger")


class Ledger:
    """Opens entries. `listeners` are told of each finished request; `owner` is this process, for recovery.

    `in_flight` is told of every entry: 1 when it opens, -1 when it closes.
    """

    def __init__(
        self,
        budgets: Budgets,
        journal: Journal,
        prices: Prices,
        owner: str,
        listeners: tuple[Callable[[Record, Trace], None], ...] = (),
        in_flight: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.budgets, self.journal, self.prices, self.owner, self.listeners = budgets, journal, prices, owner, listeners
        self._in_flight = in_flight
        self._entries = 0  # open now
        self._idle = asyncio.Event()
        self._idle.set()

    def open(self, call: Call) -> "Entry":
        """The entry of one call, a scope that settles it on every way out."""
        return Entry(self, call)

    async def drained(self) -> None:
        """Wait until every entry is settled, SETTLE_S at most: a stop cuts requests, and only then closes the store."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), SETTLE_S)
        await drained()

    def count(self, step: int) -> None:
        """An entry has opened (1) or closed (-1)."""
        self._entries += step
        self._in_flight(step)
        if self._entries:
            self._idle.clear()
        else:
            self._idle.set()


class Entry:
    """One call's account: what was set aside, what was seen, what was decided."""

    def __init__(self, ledger: Ledger, call: Call) -> None:
        self._ledger, self._call = ledger, call
        self._findings = Findings(call, ledger.prices)
        self._held = self._admitted = self._ended = self._closed = False
        self._ceiling: Usage | None = None  # what was set aside for the tokens
        self._usage: Usage | None = None
        self._first_ms: float | None = None
        self._checkpoints = Checkpoints(call.request_id, self._findings, ledger.budgets)
        self._balances: tuple[Balance, ...] = ()

    async def __aenter__(self) -> Self:
        self._ledger.count(1)
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            await self.end(error)
        finally:
            self._ledger.count(-1)

    def saw(self, value: V) -> V:
        """Remember what a stage decided; returns it. A packed prompt is about to leave."""
        self._findings.add(value)
        if isinstance(value, Packed):
            self._checkpoints.leaving(value.input.tokens)
        return value

    async def hold(self, ceiling: Usage | None) -> None:
        """Set aside the request and the most it can use (None: a cached answer uses no tokens). Raises a Refusal."""
        call, caller = self._call, self._call.caller
        asked: dict[Unit, int] = {"requests": 1}
        spent, columns = NOTHING
        if ceiling is not None:
            asked["tokens"] = ceiling.total_tokens
            asked.update(self._money())
            spent, columns = self._checkpoints.of_hold()
        hold = Hold(
            call.request_id, caller.tenant, caller.key, self._ledger.owner, asked,
            caller.tenant_limits, caller.key_limits, call.at, caller.zone, self._findings.draft() | columns, spent,
        )  # fmt: skip
        with call.trace.stage("hold") as stage:
            stage.facts = {str(unit): amount for unit, amount in asked.items()}
            self._held = True  # before the await: a cancelled or unanswered hold may have been made, so it is settled
            try:
                self._balances = tuple(await self._ledger.budgets.hold(hold))
            except OverLimit as error:
                self._held = False
                raise refusal(error, call.at, caller.zone) from error
        self._admitted, self._ceiling = True, ceiling

    def observe(self, event: Event) -> None:
        """Note what an event says was used; cheap, never waits."""
        match event:
            case Deltas():
                if event.usage is not None:
                    self._usage = _most(self._usage, event.usage)
                    if self._ceiling:  # whoever reads another's answer along pays none of its tokens
                        self._checkpoints.used(self._usage)
                if self._first_ms is None and event.pieces:
                    self._first_ms = self._call.trace.elapsed_ms()
            case End():
                self._usage, self._ended = event.usage or self._usage, True

    def opened(self, start: Start) -> Opened:
        """What the edge needs for its headers; `model` is the alias, not the backend's own name for it."""
        model, hit = self._findings.model, self._findings.hit
        start = replace(start, model=model or start.model)
        return Opened(start, hit.kind, self._balances, hit.age) if hit else Opened(start, "miss", self._balances)

    async def finish(self, completion: Completion) -> Closed:
        """Settle and journal a whole, checked answer; returns what the edge sends last."""
        spent = self._spent()
        cost = self._findings.cost(spent)
        gateway = self._findings.gateway(completion) | {"cost_usd": usd(cost)}
        record = await self._settle(200, None, spent, cost, gateway)
        timings = {"timings_ms": record.timings_ms}
        return Closed(completion, completion.usage or Usage(), self._balances, usd(cost), gateway | timings)

    async def end(self, error: BaseException | None) -> None:
        """Settle what `finish` did not; `error` is what ended the call early, None when it ended by itself."""
        if not self._closed:
            outcome, spent = self._outcome(error), self._spent()
            await self._settle(*outcome, spent, self._findings.cost(spent), {})

    def _outcome(self, error: BaseException | None) -> tuple[int, str | None]:
        """Status and code as the client saw them. One that leaves after the last event has its whole answer."""
        left = isinstance(error, (asyncio.CancelledError, GeneratorExit))
        if error is None or (left and self._ended):
            return 200, None
        if left:
            self._usage = self._usage or self._unseen()
            reason = error.args[0] if error.args else None
            if not isinstance(reason, Exception):
                return LEFT, "client_left"
            error = reason  # another than the client's: the gateway stops, or a call beside this one failed
        self._usage = self._usage or (self._unseen() if self._findings.answered else None)
        wire = Wire.of(error, self._call.request_id)
        return wire.status, wire.code

    def _unseen(self) -> Usage | None:
        """The prompt of a request that was sent but never answered: the engine has read it."""
        packed = self._findings.packed
        return Usage(packed.input.tokens) if packed and self._ceiling and self._call.trace.sent else None

    def _money(self) -> dict[Unit, int]:
        cost, caller, prompt = self._findings.ceiling_cost(), self._call.caller, self._findings.prompt
        if cost is not None:
            return {"usd": cost}
        if prompt and any(limit.unit == "usd" for limit in caller.tenant_limits + caller.key_limits):
            raise NotAllowed(
                f"This key has a limit in dollars, and the model {prompt.model!r} (or a fallback) has no price. "
                f"Set [prices.{prompt.model}], or use a model that has one.",
                param="model",
            )
        return {}

    def _spent(self) -> Usage:
        """What is billed: nothing uses more than was held for it, and a cached answer no tokens."""
        return self._usage.within(self._ceiling) if self._usage and self._ceiling else Usage()

    def _difference(self) -> int | None:
        """Preflight's count less the engine's own, where one whole generation makes them comparable."""
        packed, several = self._findings.packed, len(self._findings.generations) > 1
        if several or not (packed and self._ended and self._usage):
            return None
        return packed.input.tokens - self._usage.input_tokens

    async def _settle(
        self, status: int, error: str | None, spent: Usage, cost: int | None, gateway: Mapping[str, Any]
    ) -> Record:
        record = self._findings.record(status, error, spent, cost, self._first_ms, gateway, self._difference())
        self._closed = True
        await protected(self._book(record))
        return record

    async def _book(self, record: Record) -> None:
        """Book and journal in one step; without a hold there is only the row."""
        ledger, request, row = self._ledger, self._call.request_id, record.row()
        used = amounts(int(self._admitted), record.spent, record.cost_nano)
        if self._held:
            settled = await insisted(lambda: ledger.budgets.settle(request, used, row), f"the settlement of {request}")
            self._balances = tuple(settled or self._balances)
        else:
            await insisted(lambda: ledger.journal.write(row), f"the journal's row of {request}")
        for listener in ledger.listeners:
            try:
                listener(record, self._call.trace)
            except Exception:  # the answer is made and paid: what cannot be told of it breaks nothing
                log.exception("a listener failed on request %s", request)


def _most(known: Usage | None, told: Usage) -> Usage:
    """The larger of two counts of one request: what was used once is not given back when held events are replayed."""
    return told if known is None or told.total_tokens >= known.total_tokens else known
