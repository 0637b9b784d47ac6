"""The next attempt: never longer than was planned for its remedy, nor than its model's window."""

import asyncio
from typing import Any, cast

import pytest

from gateway.answering.changes import Changes, Impossible, Trial
from gateway.answering.judging import Judged
from gateway.exchange import Attempt, Plan
from gateway.models import Model
from gateway.stopping import Cause
from serving.pool import Pool
from serving.tokens import Count, EstimateTokens
from tests.gateway.answering.parts import INPUT, packed
from tests.gateway.calls import call

WINDOW = 100
MODELS = {"small": Model("small", "tiny", Pool([]), EstimateTokens(), WINDOW, 64)}


async def counted(alias: str, prompt: object) -> Count:
    return Count(INPUT, "exact")


def retried(planned: Attempt | None, output: int, cause: Cause = "ceiling", **fields: Any) -> Trial:
    asked = packed(**fields)
    attempts = (Attempt(INPUT, output), *([planned] if planned else []))
    plan = Plan(asked.input, output, 0, WINDOW, attempts, ("small",))
    changes = Changes(MODELS, counted, cast(Any, None))  # nothing is shortened here
    return asyncio.run(changes.next("retry", call(), plan, Trial(asked, output), Judged(cause)))


@pytest.mark.parametrize(
    ("planned", "fields", "output"),
    [
        (Attempt(INPUT, 20, "retry"), {}, 20),
        (Attempt(INPUT, 36, "retry"), {"n": 2}, 18),
        (Attempt(INPUT, 1000, "retry"), {}, WINDOW - INPUT),
    ],
)
def test_a_retry_is_as_long_as_was_planned_and_as_the_window_takes(
    planned: Attempt, fields: dict[str, Any], output: int
) -> None:
    assert retried(planned, 10, **fields).output == output


@pytest.mark.parametrize(
    ("planned", "why"),
    [
        (None, "no room for it"),
        (Attempt(INPUT - 1, 20, "retry"), f"{INPUT} tokens, and {INPUT - 1} were set aside"),
        (Attempt(INPUT, 10, "retry"), "more than the 10 tokens"),
    ],
)
def test_what_cannot_be_done_says_why(planned: Attempt | None, why: str) -> None:
    with pytest.raises(Impossible, match=why):
        retried(planned, 10)


def test_what_was_not_cut_is_sampled_otherwise() -> None:
    same = Attempt(INPUT, 10, "retry")
    fields = retried(same, 10, "repetition", repetition_penalty=1.95, seed=4).packed.prompt.fields
    assert (fields["seed"], fields["repetition_penalty"]) == (5, 2.0)
    assert retried(same, 10, "empty", min_tokens=3).packed.prompt.fields["min_tokens"] == 3
    assert "repetition_penalty" not in retried(same, 10, "empty").packed.prompt.fields
