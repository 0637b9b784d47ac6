"""Several raw prompts of one request: a call for each, side by side, and one answer with the choices of all.

Each is held, answered, settled and journalled as any other call, so that budgets and rows stay exact; each counts as a
request. The first one has the request's id, the others add their number to it. Knows no HTTP.

Invariants: none leaves where all of them are more requests than there is room for; nothing is told before all are
answered; when one fails, the others are cut and settled at what they have used, and its failure is the request's and
theirs.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

from gateway.exchange import Answer, Call, Closed, Opened
from gateway.ledger import Ledger
from gateway.limits import refusal
from gateway.pipeline import Pipeline
from gateway.shielded import insisted, protected
from gateway.state import Hold, OverLimit
from gateway.tracing import Trace
from serving.events import Choice, Usage

T = TypeVar("T")

CACHED = ("miss", "semantic", "exact")  # from the weakest on


def each(call: Call, more: Sequence[str]) -> tuple[Call, ...]:
    """The calls that a call and `more` raw prompts beside its own become."""
    return call, *(_beside(call, number, text) for number, text in enumerate(more, 1))


async def together(pipeline: Pipeline, calls: Sequence[Call]) -> AsyncGenerator[Answer, None]:
    """`Opened` and `Closed` for `each` call. Raises what the first of them to fail raises, and a Refusal of all."""
    try:
        await _admitted(pipeline.ledger, calls)
    except Exception:
        async with pipeline.ledger.open(calls[0]):  # its row
            raise
    settled: list[Closed] = []
    read = await _all([_read(pipeline, call, settled) for call in calls])
    openings, answers = zip(*read, strict=True)
    yield replace(openings[0], cache=min((opened.cache for opened in openings), key=CACHED.index))
    yield _joined(calls[0], answers, settled[-1])


def _beside(call: Call, number: int, text: str) -> Call:
    trace = Trace(call.trace.traceparent)  # its spans are below those of the first
    return replace(call, request_id=f"{call.request_id}-{number}", text=text, trace=trace)


async def _admitted(ledger: Ledger, calls: Sequence[Call]) -> None:
    """Whether there is room for so many requests: set aside at once, and given back, for each call has its own hold.

    Only the store knows, for balances tell nothing of what it can call back. Raises a Refusal.
    """
    call, caller = calls[0], calls[0].caller
    hold = Hold(
        f"{call.request_id}-all", caller.tenant, caller.key, ledger.owner, {"requests": len(calls)},
        caller.tenant_limits, caller.key_limits, call.at, caller.zone,
    )  # fmt: skip
    try:
        await ledger.budgets.hold(hold)
    except OverLimit as over:
        raise refusal(over, call.at, caller.zone) from over
    finally:  # a cancelled or unanswered hold may have been made
        await protected(insisted(lambda: ledger.budgets.settle(hold.request_id, {}), f"the end of {hold.request_id}"))


async def _all(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What they return. The first failure, or the reason of a cancellation, cuts the others, which are told of it."""
    tasks = [asyncio.create_task(work) for work in works]
    reason: BaseException | None = None
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        reason = next((error for task in tasks if task in done and (error := task.exception())), None)
    except asyncio.CancelledError as cut:
        reason = cut.args[0] if cut.args else None
        raise
    finally:
        for task in tasks:
            task.cancel(reason)  # changes nothing when it is done
        await asyncio.gather(*tasks, return_exceptions=True)
    if reason is not None:
        raise reason
    return [task.result() for task in tasks]


async def _read(pipeline: Pipeline, call: Call, settled: list[Closed]) -> tuple[Opened, Closed]:
    """One answer, read to its end and added to those that are `settled`."""
    async with aclosing(pipeline.run(call)) as running:
        answers = [answer async for answer in running]
    opened, closed = answers[0], answers[-1]
    assert isinstance(opened, Opened)
    assert isinstance(closed, Closed)
    settled.append(closed)
    return opened, closed


def _joined(call: Call, answers: Sequence[Closed], last: Closed) -> Closed:
    """One answer: the choices prompt by prompt, as OpenAI orders them; the balances are those after the last one."""
    costs = [answer.cost_usd for answer in answers if answer.cost_usd is not None]
    cost = sum(costs) if len(costs) == len(answers) else None
    gateways = [answer.gateway for answer in answers]
    return Closed(
        completion=replace(answers[0].completion, choices=tuple(_numbered(call, answers))),
        usage=sum((answer.usage for answer in answers), Usage()),
        balances=last.balances,
        cost_usd=cost,
        gateway={"request_id": call.request_id, "cost_usd": cost, "prompts": gateways},
    )


def _numbered(call: Call, answers: Sequence[Closed]) -> list[Choice]:
    n = int(call.fields.get("n") or 1)
    return [
        replace(choice, index=number * n + choice.index)
        for number, answer in enumerate(answers)
        for choice in answer.completion.choices
    ]
