"""Two versions of a template side by side: what their files say, what each case is to a model, and their scores."""

import asyncio
import difflib
from collections.abc import Sequence
from itertools import chain
from typing import Any

from gateway.prices import Prices, usd
from gateway.quality.rates import LEVEL, change
from gateway.template_fields import fields_of
from gateway.workbench.asking import Desk, Question, Unanswered
from gateway.workbench.cases import Case
from gateway.workbench.trying import Tried, pooled, rendered
from prompts.errors import PromptError
from prompts.files import parts, template_path
from prompts.library import Library
from prompts.template import Template
from serving.events import Usage
from serving.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Weight:
    """What the prompt of one case is to a model: its tokens, and what they cost; None where it has none of them."""

    tokens: int | None = None
    cost_nano: int | None = None


def texts(library: Library, id: str, old: str | None, new: str | None) -> list[str]:
    """A unified diff of all that the two versions are made of: template, partials, examples, tools. No line ends.

    Raises PromptError.
    """
    sides = [parts(template_path(id), library.reading(id, version)) for version in (old, new)]
    names = [library.get(id, version).version for version in (old, new)]
    found = (_text(path, names, [side.get(path) for side in sides]) for path in sorted({*sides[0], *sides[1]}))
    return list(chain.from_iterable(found))


def _text(path: str, versions: Sequence[str], data: Sequence[bytes | None]) -> Sequence[str]:
    before, now = ((one or b"").decode(errors="replace").splitlines() for one in data)
    old, new = (
        f"{path}@{version}" if one is not None else "/dev/null" for version, one in zip(versions, data, strict=True)
    )
    return list(difflib.unified_diff(before, now, old, new, lineterm=""))


async def weights(desk: Desk, prices: Prices, template: Template, cases: Sequence[Case], alias: str) -> list[Weight]:
    """Of each case. Raises Unanswered."""
    return list(await asyncio.gather(*(_weight(desk, prices, template, case, alias) for case in cases)))


async def _weight(desk: Desk, prices: Prices, template: Template, case: Case, alias: str) -> Weight:
    try:
        question = Question(alias, rendered(template, case), fields_of(template))
    except PromptError:  # this version's variables may be others
        return Weight()
    tokens = await desk.tokens(question)
    return Weight(tokens, prices.cost(alias, Usage(tokens)))


def row(case: Case, old: Weight, new: Weight) -> dict[str, Any]:
    """One case: both prompts, and the difference of their tokens and prices."""
    both = old.tokens is not None and new.tokens is not None
    priced = old.cost_nano is not None and new.cost_nano is not None
    return {
        "case": case.name,
        "old_tokens": old.tokens,
        "new_tokens": new.tokens,
        "tokens_more": (new.tokens or 0) - (old.tokens or 0) if both else None,
        "old_cost_usd": usd(old.cost_nano),
        "new_cost_usd": usd(new.cost_nano),
        "cost_usd_more": usd((new.cost_nano or 0) - (old.cost_nano or 0)) if priced else None,
    }


def scores(old: Tried, new: Tried) -> dict[str, Any]:
    """What the answers of one case were worth: how many pass, and what an answer costs and takes on average."""
    sides: dict[str, Any] = {}
    for name, one in (("old", old), ("new", new)):
        times = max(one.times, 1)
        sides |= {
            f"{name}_met": f"{one.met}/{one.times}",
            f"{name}_answer_usd": None if one.cost_nano is None else usd(one.cost_nano // times),
            f"{name}_seconds": round(one.seconds / times, 3),
        }
    return sides | {"change": WORDS[change((old.met, old.times), (new.met, new.times))]}


WORDS = {1: "better", 0: "no significant change", -1: "worse"}


def overall(old: Sequence[Tried], new: Sequence[Tried]) -> dict[str, Any]:
    """All answers of the cases that both could take, with the 95% limits of both shares; `change` is significant at
    LEVEL, by Newcombe's interval. Raises Unanswered where a case was not answered: its share says nothing."""
    if errors := [one.error for one in (*old, *new) if one.error is not None]:
        raise Unanswered(f"{len(errors)} of {len(old) + len(new)} cases were not answered: {errors[0]}")
    both = [(one, other) for one, other in zip(old, new, strict=True) if one.times and other.times]
    before, now = pooled([one for one, _ in both]), pooled([other for _, other in both])
    word = WORDS[change((before["met"], before["times"]), (now["met"], now["times"]))]
    return {"old": before, "new": now, "change": word, "level": LEVEL}
