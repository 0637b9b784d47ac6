"""A template's cases, tried: each one rendered, asked as often as wanted, its answers held against what is expected.

Knows no command line. Invariants: a case passes on the share of its answers that meet everything, never on a mean of
its expectations; what cannot be rendered fails and says why; the n-th answer of a case has seed n, so that a run can
be repeated.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gateway.settings import Settings
from gateway.similarity.bounds import interval
from gateway.template_fields import fields_of
from gateway.workbench.asking import Said
from gateway.workbench.cases import Case, CasesError
from gateway.workbench.expecting import Expecting, Outcome
from prompts.errors import PromptError
from prompts.template import Template
from retrieval.pack import Listing
from retrieval.pack.listing import Numbered
from serving.frozen import dataclass

__all__ = ["Asking", "Tried", "fields_of", "model_of", "rendered", "tried"]

FENCE = "test"  # around the passages of a case, the same in every run


class Asking(Protocol):
    async def ask(self, alias: str, messages: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> Said: ...


@dataclass(frozen=True, slots=True)
class Tried:
    """One case's result. `low` and `high` are the 95% limits of the share that passes; `why` counts what was not met.

    Tokens are sums; `cost_nano` is None without a price; `seconds` the sum of the answers' own.
    """

    case: str
    passed: bool
    times: int
    met: int
    low: float
    high: float
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano: int | None = None
    seconds: float = 0.0
    why: tuple[str, ...] = ()


def rendered(template: Template, case: Case) -> list[dict[str, Any]]:
    """The messages of a case. Raises PromptError."""
    passages = tuple(Numbered(number, one.heading, one.text) for number, one in enumerate(case.passages, start=1))
    return list(template.render(case.variables, Listing(FENCE, passages)))


def model_of(template: Template, settings: Settings, asked: str | None) -> str:
    """The alias that is asked: as the option says, else the template, else the settings. Raises CasesError."""
    alias = asked or template.front.model or settings.default_model()
    if alias is None or alias not in settings.models:
        raise CasesError(f"there is no model {alias!r} in the settings for {template.id!r}: name one with --model")
    return alias


async def tried(
    template: Template,
    case: Case,
    alias: str,
    fields: Mapping[str, Any],
    desk: Asking,
    expecting: Expecting,
    times: int,
) -> Tried:
    """A case asked `times` times. Raises BackendError, NotRecorded, EmbedderUnavailable."""
    try:
        messages = rendered(template, case)
    except PromptError as error:
        return Tried(case.name, False, times, 0, 0.0, 1.0, why=(f"it cannot be rendered: {error}",))
    base = int(fields.get("seed", 0))
    said = await asyncio.gather(*(desk.ask(alias, messages, {**fields, "seed": base + n}) for n in range(times)))
    outcomes = [await _outcomes(case, one, expecting) for one in said]
    return _result(case, said, outcomes)


async def _outcomes(case: Case, said: Said, expecting: Expecting) -> list[Outcome]:
    found = [await expecting(one, said.text) for one in case.expect]
    cut = Outcome("stop", said.finish_reason != "length", "it was cut by its ceiling")
    return [*found, cut]


def _result(case: Case, said: Sequence[Said], outcomes: Sequence[Sequence[Outcome]]) -> Tried:
    met = sum(all(one.met for one in found) for found in outcomes)
    low, high = interval(met, len(said))
    missed = Counter(f"{one.kind}: {one.why}" for found in outcomes for one in found if not one.met)
    costs = [one.cost_nano for one in said if one.cost_nano is not None]
    return Tried(
        case.name,
        met >= case.least * len(said),
        len(said),
        met,
        low,
        high,
        sum(one.usage.input_tokens for one in said),
        sum(one.usage.output_tokens for one in said),
        sum(costs) if len(costs) == len(said) else None,
        sum(one.seconds for one in said),
        tuple(f"{why} ({count} of {len(said)})" for why, count in missed.most_common()),
    )
