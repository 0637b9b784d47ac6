"""Several raw prompts of one request: a call for each, side by side, and one answer with the choices of all.

Each is held, answered, settled and journalled as any other call, so that budgets and rows stay exact; each counts as a
request. The first one has the request's id, the others add their number to it. Knows no HTTP.

Invariants: nothing is told before all are answered; when one fails, the others are cancelled and settled at what they
have used, and its failure is the request's.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from gateway.exchange import Answer, Call, Closed, Opened
from gateway.pipeline import Pipeline
from gateway.tracing import Trace
from serving.events import Choice, Usage


async def together(pipeline: Pipeline, call: Call, more: Sequence[str]) -> AsyncGenerator[Answer, None]:
    """`Opened` and `Closed` for the call's prompt and `more` of them. Raises what the first of them to fail raises."""
    calls = [call, *(_beside(call, number, text) for number, text in enumerate(more, 1))]
    settled: list[Closed] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_read(pipeline, one, settled)) for one in calls]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    opened, answers = tasks[0].result()[0], [task.result()[1] for task in tasks]
    yield opened
    yield _joined(call, answers, settled[-1])


def _beside(call: Call, number: int, text: str) -> Call:
    trace = Trace(call.trace.traceparent)  # its spans are below those of the first
    return replace(call, request_id=f"{call.request_id}-{number}", text=text, trace=trace)


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
