"""A suite, tried: each case rendered, asked as often as wanted, its answers held against what is expected.

Knows no command line. Invariants: a case passes on the share of its answers that meet everything, never on a mean of
its expectations; what cannot be rendered, or gets no answer, never passes and says why; a case that renders otherwise
than its golden file is not asked; the n-th answer of a case has seed n, so that a run can be repeated.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.linting.lint import notes_of
from gateway.quality.rates import wilson
from gateway.shots import shown
from gateway.template_fields import fields_of
from gateway.workbench import golden
from gateway.workbench.asking import Asking, Question, Said, Unanswered
from gateway.workbench.cases import Case
from gateway.workbench.expecting import Expecting, Outcome
from gateway.workbench.suite import Suite
from prompts.errors import PromptError, RenderError
from prompts.template import Template
from retrieval.pack import Listing
from retrieval.pack.listing import Numbered
from retrieval.weights import EmbedderUnavailable
from serving.frozen import dataclass

FENCE = "test"  # around the passages of a case, the same in every run
ENDS = ("stop", "tool_calls", "function_call")  # finish reasons of an answer that is whole
SCHEMA = "output_schema"  # the name under which a template's schema is tried


@dataclass(frozen=True, slots=True)
class Tried:
    """One case's result. `low` and `high` are the 95% limits of the share that passes; `why` counts what was not met.

    `error`: what kept it from being tried. Tokens and `seconds` are sums over the answers (`times` of them, 0 where
    nothing was asked); `cost_nano` is None without a price.
    """

    case: str
    passed: bool
    times: int = 0
    met: int = 0
    low: float = 0.0
    high: float = 1.0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano: int | None = None
    seconds: float = 0.0
    why: tuple[str, ...] = ()
    error: str | None = None


async def tried(
    suite: Suite, alias: str, asking: Asking | None, expecting: Expecting, times: int | None = None
) -> list[Tried]:
    """The results of a suite's cases, of golden renders that have no case any more too; without `asking` cases are
    only rendered. `times` None: as often as each case says."""
    different = differences(suite)
    gone = [Tried(name, False, why=(different[name],)) for name in different.keys() - {c.name for c in suite.cases}]
    found = await asyncio.gather(
        *(
            _case(suite.template, case, alias, asking, expecting, times, different.get(case.name))
            for case in suite.cases
        )
    )
    return [*found, *sorted(gone, key=lambda one: one.case)]


def differences(suite: Suite) -> dict[str, str]:
    """What of the suite's cases renders otherwise than its golden file says; nothing where there is no such file."""
    return {} if suite.golden is None else golden.changes(suite.golden, renders(suite))


def renders(suite: Suite) -> dict[str, list[dict[str, Any]]]:
    """The messages of the cases that can be rendered, by their names."""
    found = {}
    for case in suite.cases:
        try:
            found[case.name] = rendered(suite.template, case)
        except PromptError:  # told when the case is tried
            continue
    return found


def linted(template: Template) -> list[Tried]:
    """What the engine refuses in the template's output schema, as a case of its own; none where it has no schema."""
    if template.front.output_schema is None:
        return []
    notes = [note for note in notes_of(template.front.output_schema) if note.severity == "error"]
    return [Tried(SCHEMA, not notes, why=tuple(f"{note.pointer or 'at the top'}: {note.message}" for note in notes))]


def rendered(template: Template, case: Case) -> list[dict[str, Any]]:
    """The messages of a case. Raises PromptError."""
    numbered = enumerate(case.passages or (), start=1)
    passages = tuple(Numbered(number, one.heading, one.text) for number, one in numbered)
    try:
        shots = shown(template, case.variables)
    except EmbedderUnavailable as error:
        raise RenderError(f"its examples cannot be compared: {error}") from error
    return list(template.render(case.variables, Listing(FENCE, passages), shots=shots))


async def _case(
    template: Template,
    case: Case,
    alias: str,
    asking: Asking | None,
    expecting: Expecting,
    times: int | None,
    different: str | None,
) -> Tried:
    try:
        messages = rendered(template, case)
    except PromptError as error:
        return Tried(case.name, False, why=(f"it cannot be rendered: {error}",))
    if different or asking is None:
        return Tried(case.name, not different, why=(different,) if different else ())
    questions = _questions(template, case, alias, messages, times or case.times)
    try:
        said = await asyncio.gather(*map(asking.ask, questions))
        outcomes = [await _outcomes(case, one, expecting) for one in said]
    except (Unanswered, EmbedderUnavailable) as error:
        return Tried(case.name, False, error=str(error))
    return _result(case, said, outcomes)


def _questions(
    template: Template, case: Case, alias: str, messages: list[dict[str, Any]], times: int
) -> list[Question]:
    """With passages of its own a case is asked as its messages: a gateway would find others."""
    fields = fields_of(template)
    prompt = {"id": template.id, "version": template.digest, "variables": case.variables}
    seeds = range(int(fields.get("seed", 0)), int(fields.get("seed", 0)) + times)
    own = prompt if case.passages is None else None
    return [Question(alias, messages, {**fields, "seed": seed}, own) for seed in seeds]


async def _outcomes(case: Case, said: Said, expecting: Expecting) -> list[Outcome]:
    found = [await expecting(one, said, case.variables) for one in case.expect]
    return [*found, Outcome("stop", said.finish_reason in ENDS, f"it ended by {said.finish_reason!r}")]


def _result(case: Case, said: Sequence[Said], outcomes: Sequence[Sequence[Outcome]]) -> Tried:
    met = sum(all(one.met for one in found) for found in outcomes)
    missed = Counter(f"{one.kind}: {one.why}" for found in outcomes for one in found if not one.met)
    costs = [one.cost_nano for one in said if one.cost_nano is not None]
    return Tried(
        case.name,
        met >= case.least * len(said),
        len(said),
        met,
        *wilson(met, len(said)),
        sum(one.usage.input_tokens for one in said),
        sum(one.usage.output_tokens for one in said),
        sum(costs) if len(costs) == len(said) else None,
        sum(one.seconds for one in said),
        tuple(f"{why} ({count} of {len(said)})" for why, count in missed.most_common()),
    )


def pooled(found: Sequence[Tried]) -> Mapping[str, Any]:
    """The share of all answers that pass, with its 95% limits."""
    met, times = sum(one.met for one in found), sum(one.times for one in found)
    low, high = wilson(met, times)
    return {"met": met, "times": times, "low": low, "high": high}
