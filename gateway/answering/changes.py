"""The next attempt at an answer: the last one, changed as a remedy says. Knows no policy and sends nothing.

    retry       the same with a higher ceiling, or with another seed or penalty where it was not cut by that
    shorten     fewer passages, the older turns left out
    repair      the model's answer and what is wrong with it as two more turns
    fallback    the next model of the alias

Invariants: no attempt is longer than was planned for its remedy, nor than the window of its model: its prompt is
counted before it is sent. What cannot be done is said (`Impossible`) and left out.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from gateway.answering.judging import Judged
from gateway.answering.planning import LONGER
from gateway.answering.turns import shown
from gateway.errors import InvalidValue
from gateway.exchange import Attempt, Call, Cut, Packed, Plan, Prompt
from gateway.models import Model
from gateway.stopping import Cause, Remedy
from gateway.truncation.turns import newer
from serving.frozen import dataclass
from serving.tokens import Count

PENALTY = 0.1  # added to the repetition penalty of what repeated itself; vLLM's goes from 0 to 2, 1 being none
MOST_PENALTY = 2.0


class Impossible(Exception):
    """Raised where a remedy has no room, or nothing to work on; says which, in words."""


class Shortens(Protocol):
    """The stage that packs prompts."""

    async def fewer(self, call: Call, packed: Packed) -> Packed:
        """The prompt of this call again, with the better half of its passages."""
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """One attempt: what is sent, and the ceiling of each choice in tokens. `remedy` None: it is the first."""

    packed: Packed
    output: int
    remedy: Remedy | None = None


class Changes:
    """Makes attempts. `count` tells how long a prompt is for an alias."""

    def __init__(
        self,
        models: Mapping[str, Model],
        count: Callable[[str, Prompt], Awaitable[Count]],
        shortens: Shortens,
    ) -> None:
        self._models, self._count, self._shortens = models, count, shortens

    async def next(self, remedy: Remedy, call: Call, plan: Plan, trial: Trial, judged: Judged) -> Trial:
        """The attempt after `trial`, which came to `judged`. Raises Impossible."""
        planned = plan.of(remedy)
        if not planned:
            raise Impossible("there is no room for it, or nothing that it could change")
        match remedy:
            case "retry":
                return self._retried(trial, planned[0], judged.cause)
            case "shorten":
                return await self._shortened(call, trial, planned[0])
            case "repair":
                return await self._repaired(trial, planned[0], judged)
            case "fallback":
                return await self._elsewhere(call, plan, trial, planned[0])
        raise Impossible(f"{remedy!r} makes no attempt of its own")

    def _retried(self, trial: Trial, planned: Attempt, cause: Cause) -> Trial:
        if cause not in LONGER:
            prompt = trial.packed.prompt
            varied = replace(prompt, fields=_varied(prompt.fields, cause))
            return self._within(replace(trial.packed, prompt=varied), trial.output, planned)
        longer = self._within(trial.packed, planned.output // _choices(trial.packed), planned)
        if longer.output <= trial.output:
            raise Impossible(f"the window has no room for more than the {trial.output} tokens of its ceiling")
        return longer

    async def _shortened(self, call: Call, trial: Trial, planned: Attempt) -> Trial:
        packed = await self._shortens.fewer(call, replace(trial.packed, prompt=self._fewer(trial.packed.prompt)))
        less = self._within(packed, planned.output // _choices(packed), planned)
        if less.output <= trial.output:
            raise Impossible("nothing could be left out that makes room")
        return less

    def _fewer(self, prompt: Prompt) -> Prompt:
        """Without the older half of its turns."""
        parts = replace(prompt.kept, messages=newer(prompt.kept.messages))
        rule = prompt.cut.rule if prompt.cut else "oldest"
        return replace(prompt, cut=Cut.of(prompt.parts, parts, rule, self._models[prompt.model].window))

    async def _repaired(self, trial: Trial, planned: Attempt, judged: Judged) -> Trial:
        if judged.wrong is None:
            raise Impossible("there is no answer to repair")
        prompt = trial.packed.prompt
        messages = (*prompt.messages, *shown(judged.wrong, judged.faults))
        return await self._counted(trial, replace(prompt, messages=messages), planned)

    async def _elsewhere(self, call: Call, plan: Plan, trial: Trial, planned: Attempt) -> Trial:
        """On the alias after the one that answered, which may have been a fallback already."""
        prompt = trial.packed.prompt
        route = call.trace.last("route")
        last = str(route.facts["model"]) if route else prompt.model
        behind = plan.models[plan.models.index(last) + 1 :] if last in plan.models else ()
        named = self._models[plan.models[0]].fallback
        for alias in (alias for alias in behind if alias in named):
            try:
                return await self._counted(trial, replace(prompt, model=alias), planned)
            except Impossible:
                continue
        raise Impossible("no further model may answer")

    async def _counted(self, trial: Trial, prompt: Prompt, planned: Attempt) -> Trial:
        try:
            count = await self._count(prompt.model, prompt)
        except InvalidValue as error:  # its chat template refuses these turns
            raise Impossible(error.message) from error
        return self._within(replace(trial.packed, prompt=prompt, input=count), trial.output, planned)

    def _within(self, packed: Packed, output: int, planned: Attempt) -> Trial:
        """The attempt, its ceiling bounded by what was planned and by the window."""
        given, window = packed.input.tokens, self._models[packed.prompt.model].window
        if given > planned.input:
            raise Impossible(f"it needs a prompt of {given} tokens, and {planned.input} were set aside")
        output = min(output, planned.output // _choices(packed), window - given)
        if output < 1:
            raise Impossible(f"its prompt of {given} tokens leaves no room in the window of {window}")
        return Trial(packed, output, planned.remedy)


def _choices(packed: Packed) -> int:
    return int(packed.prompt.fields.get("n") or 1)


def _varied(fields: Mapping[str, Any], cause: Cause) -> dict[str, Any]:
    """Other sampling, so that the same is not said again: another seed, and what goes against the cause."""
    varied = dict(fields) | {"seed": int(fields.get("seed") or 0) + 1}
    if cause == "repetition":
        varied["repetition_penalty"] = min(float(fields.get("repetition_penalty") or 1.0) + PENALTY, MOST_PENALTY)
    if cause == "empty":
        varied["min_tokens"] = max(int(fields.get("min_tokens") or 0), 1)
    return varied
