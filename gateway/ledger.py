"""The ledger: every call has one entry, and every way out of the call passes its settlement.

    async with ledger.open(call) as entry:
        balances = await entry.hold(ceiling)     # set aside before it is spent, durable before anything is sent
        entry.observe(event)                     # usage so far: a hang-up is priced exactly
        closed = await entry.finish(...)         # settled and journalled before the client sees the last event

Whoever leaves without `finish` (a refusal, a broken backend, a client that hung up, a cancelled task) is settled by the
scope, in a bounded and shielded step, at the usage observed so far. Knows no HTTP; it is told prompts, plans and
verdicts and keeps only their facts.

Invariants: at most one hold and one settlement per call; one journal row per call; what is booked was observed, with
one exception: a client that leaves after its prompt was sent and before the engine said a word pays its prompt.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from gateway.errors import NotAllowed, Unready, Wire
from gateway.exchange import Call, Closed, Hit, Miss, Opened, Packed, Plan, Prompt, Verdict
from gateway.limits import refusal
from gateway.prices import Prices, usd
from gateway.record import Record
from gateway.state import Balance, Budgets, Hold, Journal, OverLimit, StateUnavailable, Unit
from gateway.tracing import Trace
from serving.events import Completion, Delta, End, Event, Start, Usage

T = TypeVar("T")
V = TypeVar("V", Prompt, Plan, Packed, Verdict, Hit | Miss)

log = logging.getLogger("tollgate.ledger")

SETTLE_S = 10.0  # a settlement is two small writes; past this the store is gone and recovery will settle the hold
CHECKPOINT_S = 1.0  # with CHECKPOINT_TOKENS: what a killed process can lose at most
CHECKPOINT_TOKENS = 256
LEFT = 499  # nginx's status for a client that closed the connection first


class Ledger:
    """Opens entries. `listeners` are told of each finished request; `owner` is this process, for recovery."""

    def __init__(
        self,
        budgets: Budgets,
        journal: Journal,
        prices: Prices,
        owner: str,
        listeners: tuple[Callable[[Record, Trace], None], ...] = (),
    ) -> None:
        self.budgets, self.journal, self.prices, self.owner, self.listeners = budgets, journal, prices, owner, listeners

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator["Entry"]:
        """The entry of one call, settled on every way out."""
        entry = Entry(self, call)
        try:
            yield entry
        except BaseException as error:
            await _protected(entry.close(error))
            raise
        await _protected(entry.close(None))


class Entry:
    """One call's account: what was set aside, what was seen, what was decided."""

    def __init__(self, ledger: Ledger, call: Call) -> None:
        self._ledger, self._call = ledger, call
        self._held = self._sent = self._ended = self._closed = False
        self._usage: Usage | None = None
        self._first_ms: float | None = None
        self._start: Start | None = None
        self._noted = (0.0, 0)  # when and at how many tokens the last checkpoint was
        self._seen: dict[type, Any] = {}
        self._balances: tuple[Balance, ...] = ()

    def saw(self, value: V) -> V:
        """Remember what a stage decided; returns it."""
        self._seen[type(value)] = value
        return value

    async def hold(self, ceiling: Usage | None) -> None:
        """Set aside the request and the most it can use (None: a cached answer uses no tokens). Raises a Refusal."""
        call, caller = self._call, self._call.caller
        amounts: dict[Unit, int] = {"requests": 1}
        if ceiling is not None:
            amounts["tokens"] = ceiling.total_tokens
            amounts.update(self._money(ceiling))
        hold = Hold(
            call.request_id, caller.tenant, caller.key, self._ledger.owner, amounts,
            caller.tenant_limits, caller.key_limits, call.at,
        )  # fmt: skip
        with call.trace.stage("hold") as stage:
            stage.facts = {str(unit): amount for unit, amount in amounts.items()}
            self._held = True  # before the await: a cancelled or unanswered hold may have been made, so it is settled
            try:
                self._balances = tuple(await self._ledger.budgets.hold(hold))
            except OverLimit as error:
                raise refusal(error, call.at) from error
            except StateUnavailable as error:
                raise Unready("The budgets cannot be read just now, so nothing is admitted; try again.") from error
        self._sent = ceiling is not None

    def observe(self, event: Event) -> None:
        """Note what an event says was used; cheap, never waits."""
        match event:
            case Start():
                self._start = event
            case Delta():
                self._usage = event.usage or self._usage
                if self._first_ms is None and event.delta:
                    self._first_ms = self._call.trace.elapsed_ms()
                self._checkpoint()
            case End():
                self._usage, self._ended = event.usage or self._usage, True

    def opened(self, start: Start) -> Opened:
        """What the edge needs for its headers; `model` is the alias, not the backend's own name for it."""
        prompt: Prompt = self._seen[Prompt]
        return Opened(replace(start, model=prompt.model), self._cache_verdict() or "miss", self._balances)

    async def finish(self, completion: Completion, verdict: Verdict) -> Closed:
        """Settle and journal a whole, checked answer; returns what the edge sends last."""
        gateway = self._gateway(completion, verdict)
        record = self._record(200, None, gateway)
        await _protected(self._settle(record))
        cost = usd(record.cost_nano)
        closing = {"timings_ms": self._call.trace.timings_ms(), "cost_usd": cost}
        return Closed(completion, completion.usage or Usage(), self._balances, cost, gateway | closing)

    async def close(self, error: BaseException | None) -> None:
        """Settle what `finish` did not. A client that leaves after the last event has its whole answer: a success."""
        if self._closed:
            return
        left = isinstance(error, (asyncio.CancelledError, GeneratorExit))
        if error is None or (left and self._ended):
            status, code = 200, None
        elif left:
            status, code = LEFT, "client_left"
            self._usage = self._usage or self._unseen()
        else:
            wire = Wire.of(error, self._call.request_id)
            status, code = wire.status, wire.code
            self._usage = self._usage or (self._unseen() if self._start else None)
        await self._settle(self._record(status, code, {}))

    def _unseen(self) -> Usage | None:
        """The prompt of a request that was sent but never answered: the engine has read it."""
        packed = self._seen.get(Packed)
        return Usage(packed.input.tokens) if packed and self._sent else None

    def _money(self, ceiling: Usage) -> dict[Unit, int]:
        prompt: Prompt = self._seen[Prompt]
        cost = self._ledger.prices.cost(prompt.model, ceiling)
        caller = self._call.caller
        if cost is None and any(limit.unit == "usd" for limit in caller.tenant_limits + caller.key_limits):
            raise NotAllowed(
                f"This key has a limit in dollars, and the model {prompt.model!r} has no price. "
                f"Set [prices.{prompt.model}], or use a model that has one.",
                param="model",
            )
        return {} if cost is None else {"usd": cost}

    def _checkpoint(self) -> None:
        now, tokens = time.monotonic(), self._usage.total_tokens if self._usage else 0
        when, noted = self._noted
        if not self._usage or (now - when < CHECKPOINT_S and tokens - noted < CHECKPOINT_TOKENS):
            return
        self._noted = (now, tokens)
        _background(self._ledger.budgets.checkpoint(self._call.request_id, self._amounts(self._usage)))

    def _amounts(self, usage: Usage | None) -> dict[Unit, int]:
        """What this request has used, in every unit; a refused request used nothing."""
        amounts: dict[Unit, int] = {"requests": 1, "tokens": usage.total_tokens if usage else 0}
        cost = self._cost(usage)
        return amounts if cost is None else amounts | {"usd": cost}

    def _spent(self) -> Usage:
        return Usage() if self._cache_verdict() in ("exact", "semantic") else self._usage or Usage()

    def _cost(self, usage: Usage | None) -> int | None:
        prompt: Prompt | None = self._seen.get(Prompt)
        return self._ledger.prices.cost(prompt.model, usage or Usage()) if prompt else None

    def _cache_verdict(self) -> Any:
        hit: Hit | None = self._seen.get(Hit)
        return hit.kind if hit else "miss" if Miss in self._seen else None

    async def _settle(self, record: Record) -> None:
        """Book and journal, side by side so that a store with group commit writes them at once."""
        self._closed = True
        work: list[Coroutine[Any, Any, Any]] = [self._ledger.journal.write(record.row())]
        if self._held:
            work.append(self._ledger.budgets.settle(self._call.request_id, self._amounts(self._spent())))
        written, *settled = await asyncio.gather(*work, return_exceptions=True)
        for failed in (r for r in (written, *settled) if isinstance(r, BaseException)):
            log.error(
                "request %s could not be settled now (%s); recovery will", record.request_id, type(failed).__name__
            )
        if settled and not isinstance(settled[0], BaseException):
            self._balances = tuple(settled[0])
        for listener in self._ledger.listeners:
            listener(record, self._call.trace)

    def _gateway(self, completion: Completion, verdict: Verdict) -> dict[str, Any]:
        """The `gateway` object of the answer (contract: HTTP)."""
        prompt: Prompt = self._seen[Prompt]
        usage, packed = completion.usage or Usage(), self._seen.get(Packed)
        found: Hit | Miss = self._seen.get(Hit) or self._seen[Miss]
        body = {
            "request_id": self._call.request_id,
            "model": prompt.model,
            "backend": self._backend(),
            "prompt": prompt.source,
            "tokens": {
                "input": packed.input.tokens if packed else usage.input_tokens,
                "output": usage.output_tokens,
                "cached": usage.cached_tokens,
                "source": packed.input.source if packed else self._seen[Plan].input.source,
            },
            "cost_usd": None,
            "cache": found.facts(),
            "citations": list(verdict.citations),
            "stop": {"verdict": verdict.stop, "finish_reasons": [c.finish_reason for c in completion.choices]},
            "checks": {"schema": verdict.schema, "unknown_citations": list(verdict.unknown_citations)},
        }
        return body | ({"explain": self._call.trace.tree()} if self._call.options.explain else {})

    def _backend(self) -> str | None:
        """The backend that answered, as the route noted it."""
        routed = [s.facts.get("backend") for s in self._call.trace.stages if s.name == "route" and not s.error]
        return routed[-1] if routed else None

    def _record(self, status: int, error: str | None, gateway: Mapping[str, Any]) -> Record:
        call, prompt, packed = self._call, self._seen.get(Prompt), self._seen.get(Packed)
        source = (prompt.source if prompt else None) or {}
        verdict, spent, plan = self._seen.get(Verdict), self._spent(), self._seen.get(Plan)
        one_pass = packed is not None and self._ended and plan is not None and len(plan.attempts) == 1
        return Record(
            request_id=call.request_id, at=call.at, tenant=call.caller.tenant, key=call.caller.key,
            model=prompt.model if prompt else None, backend=self._backend(),
            prompt=source.get("id"), prompt_version=source.get("version"), prompt_digest=source.get("digest"),
            status=status, error=error, stop=verdict.stop if verdict else None, cache=self._cache_verdict(),
            spent=spent, counted=packed.input.tokens if packed else None,
            source=packed.input.source if packed else None,
            cost_nano=self._cost(spent), duration_ms=call.trace.elapsed_ms(), ttft_ms=self._first_ms,
            timings_ms=call.trace.timings_ms(), stages=call.trace.tree(), gateway=gateway,
            difference=packed.input.tokens - spent.input_tokens if packed and one_pass else None,
        )  # fmt: skip


_pending: set[asyncio.Task[Any]] = set()  # the event loop keeps only weak references to tasks


def _background(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.ensure_future(work)
    _pending.add(task)
    task.add_done_callback(_finished)
    return task


def _finished(task: asyncio.Task[Any]) -> None:
    _pending.discard(task)
    if not task.cancelled() and (error := task.exception()):
        log.error("a ledger write failed: %s", type(error).__name__)


async def _protected(work: Coroutine[Any, Any, T]) -> None:
    """Run `work` to its end even though the caller is being cancelled, for SETTLE_S at most; then cancel as asked."""
    task = _background(work)
    try:
        await asyncio.wait_for(asyncio.shield(task), SETTLE_S)
    except TimeoutError:
        log.error("a settlement took longer than %s s; recovery will finish it", SETTLE_S)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=SETTLE_S)
        raise
