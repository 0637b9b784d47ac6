"""Finish: one answer that may be given, by as many generations as its policy allows. Knows no wire and no ledger.

    attempt -> why did it stop, does it satisfy its format? -> give it
                                                            -> refuse it
                                                            -> the next remedy of its cause, and another attempt

What is wrong is decided in `gateway.answering.judging`, what may be done in `.policy`, the next attempt is made in
`.changes`. In `verdict` mode pieces go out as they come and are judged at the end; in `strict` mode, that of all
buffered answers, nothing does before it is judged. An answer that can no longer satisfy its format is stopped early.

Invariants: usage is that of all generations together; every attempt is one that preflight planned, no longer than it
planned it, so the hold covers them; each remedy is used once; nothing of a generation that is thrown away reaches the
client, but its usage reaches the ledger; what is given or refused is preceded by its Verdict.
"""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from gateway.answering.attempt import Attempted
from gateway.answering.causes import Bounds, Outcome, outcome
from gateway.answering.changes import Changes, Impossible, Trial
from gateway.answering.course import Course
from gateway.answering.joined import Joined
from gateway.answering.judging import Judge, Judged
from gateway.answering.outlet import Outlet
from gateway.answering.policy import applicable
from gateway.answering.refusing import refusal
from gateway.exchange import Call, Packed, Plan, Verdict
from gateway.models import Model
from gateway.stages.guard import Guard
from gateway.stages.route import Route
from gateway.stopping import FINAL, WHOLE, Remedy
from serving.errors import BackendBroken, BackendError, BackendRejected
from serving.events import Completion, Event

# What comes of an answer. Packed: it is that to another prompt than the first; Completion: as its events tell it.
Given = Event | Packed | Verdict | Completion


class Finish:
    """Runs the generations of answers."""

    def __init__(self, route: Route, guard: Guard, judge: Judge, changes: Changes, models: Mapping[str, Model]) -> None:
        self._route, self._joined, self._guard = route, Joined(route), guard
        self._judge, self._changes, self._models = judge, changes, models

    async def __call__(self, call: Call, packed: Packed, plan: Plan) -> AsyncGenerator[Given, None]:
        """The events of one answer; its verdict and the whole of it come before its last one.

        Raises a Refusal or a BackendError.
        """
        prompt, trial, began = packed.prompt, Trial(packed, plan.output), time.perf_counter_ns()
        course, outlet = Course(applicable(prompt.on_stop, prompt.mode)), Outlet(prompt.mode)
        for number in range(1, len(plan.attempts) + 1):
            attempt = Attempted(prompt.format, watched=course.watches)
            async with aclosing(self._shown(call, plan, trial, course, attempt, outlet)) as shown:
                async for event in shown:
                    yield event
            judged = await self._judged(call, trial, attempt, outlet)
            then, skipped = await self._then(call, plan, trial, judged, course, outlet)
            _note(call, began, number, trial, judged, skipped)
            if not isinstance(then, Trial):
                break
            course.tried += [then.remedy] if then.remedy else []
            outlet.anew(attempt.usage)
            trial, began = then, time.perf_counter_ns()
        if judged.cause not in WHOLE and then == "error":
            yield _verdict("failed", judged, course)
            raise judged.failure or refusal(judged, self._bounds(call, trial), course.tried)
        if trial.packed is not packed:
            yield trial.packed
        yield _verdict(outcome(judged.cause), judged, course, flagged=then == "flag")
        assert judged.completion  # only what broke has none, and that is refused
        yield outlet.whole(judged.completion)
        for event in outlet.given(judged.completion if judged.schema == "repaired" else None):
            yield event

    async def _shown(
        self, call: Call, plan: Plan, trial: Trial, course: Course, attempt: Attempted, outlet: Outlet
    ) -> AsyncGenerator[Event, None]:
        """What of one attempt goes out while it runs. It ends when the attempt does, or is not worth another token."""
        parts, routed = plan.of("continue") if course.continues else (), len(call.trace.every("route"))
        if parts:
            source = self._joined(call, trial.packed, trial.output, parts)
        else:
            source = self._route(call, trial.packed, trial.output)
        try:
            async with aclosing(self._guard.said(call, source, trial.packed.prompt.format.structured)) as events:
                async for event in events:
                    attempt.add(event)
                    if (out := outlet.take(event)) is not None:
                        yield out
                    if attempt.fault is not None:
                        return
        except BackendError as broken:
            if isinstance(broken, BackendRejected) and trial.remedy:  # the gateway's own request, not the client's
                raise BackendBroken(broken.backend, f"it refused the {trial.remedy} ({broken.status})") from broken
            if not attempt.began or isinstance(broken, BackendRejected):
                raise
            attempt.failure = broken
        if parts and len(call.trace.every("route")) > routed + 1:
            course.tried.append("continue")

    async def _judged(self, call: Call, trial: Trial, attempt: Attempted, outlet: Outlet) -> Judged:
        if attempt.failure is not None:
            return Judged("error", failure=attempt.failure, usage=attempt.usage)
        completion = attempt.completion()
        if attempt.fault is not None:
            wrong = completion.choices[0] if completion.choices else None
            return Judged("invalid", completion, "invalid", (attempt.fault,), wrong=wrong, usage=attempt.usage)
        format, bounds = trial.packed.prompt.format, self._bounds(call, trial)
        return await self._judge(format, completion, bounds, call.caller.tenant, seen=outlet.said)

    async def _then(
        self, call: Call, plan: Plan, trial: Trial, judged: Judged, course: Course, outlet: Outlet
    ) -> tuple[Trial | Remedy | None, list[str]]:
        """The next attempt, or what becomes of this one (None: it is whole); and why other remedies were left out."""
        skipped: list[str] = []
        for remedy in course.left(judged.cause, outlet.said) if judged.cause not in WHOLE else ():
            if remedy in FINAL:
                return remedy, skipped
            try:
                return await self._changes.next(remedy, call, plan, trial, judged), skipped
            except Impossible as why:
                skipped.append(f"{remedy}: {why}")
        return None, skipped

    def _bounds(self, call: Call, trial: Trial) -> Bounds:
        """Of the model that answered: the one asked, or a fallback."""
        route = call.trace.last("route")
        alias = str(route.facts["model"]) if route else trial.packed.prompt.model
        tools = bool(trial.packed.prompt.format.tools)
        return Bounds(self._models[alias].window, trial.packed.input.tokens, trial.output, tools)


def _verdict(stop: Outcome, judged: Judged, course: Course, *, flagged: bool = False) -> Verdict:
    flags = (*((judged.cause,) if flagged else ()), *judged.flags)
    return Verdict(
        stop, judged.finish_reason, judged.schema, cause=judged.cause, flags=flags, remedies=tuple(course.tried)
    )


def _note(call: Call, began: int, number: int, trial: Trial, judged: Judged, skipped: Sequence[str]) -> None:
    """Faults are counted only: their paths hold names that the model made up, and no trace keeps what it said."""
    facts: dict[str, Any] = {"number": number, "remedy": trial.remedy, "cause": judged.cause}
    if judged.faults:
        facts["faults"] = len(judged.faults)
    if skipped:
        facts["skipped"] = list(skipped)
    call.trace.note("attempt", began, **facts)
