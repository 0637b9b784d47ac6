"""Whatever the policy and whatever the model does: what is billed was set aside, and is what the generations used."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.errors import Refusal
from gateway.stopping import FINAL, SENSIBLE, Cause
from serving.errors import BackendError
from tests.fakes.backend import RST, Script, said, words
from tests.fakes.said import called, choices, reasoned, silent
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call

GOOD = '{"a": 1}'
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
FIELDS: tuple[dict[str, Any], ...] = (
    {},
    {"max_tokens": 1},
    {"max_tokens": 4000},
    {"n": 2, "max_tokens": 6},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
    {"tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": SCHEMA}}]},
    {"stop": ["b"], "max_tokens": 3},
    {"min_tokens": 2, "max_tokens": 3},
)
SCRIPTS = (
    Script(said("a", "b")),
    Script(said("a", "b", finish="length")),
    Script(said(GOOD)),
    Script(said("```json\n", GOOD, "\n```")),
    Script(said('{"a": "x"}')),
    Script(said("a", finish="repetition")),
    Script(said("a", finish="content_filter")),
    Script(said("a", finish="abort")),
    Script(said("a", finish="error")),
    Script(silent()),
    Script(silent("length")),
    Script(reasoned("so", "well")),
    Script(called("f", '{"a": 1}', "tool_calls")),
    Script(called("f", '{"a": ', "tool_calls")),
    Script(choices("a", "b")),
    Script((*words("a", "b"), RST)),
    Script(status=500),
)


def policy(dice: random.Random) -> dict[Cause, tuple[Any, ...]]:
    """Remedies for some causes, silly ones too, as long as they are allowed."""
    named: dict[Cause, tuple[Any, ...]] = {}
    for cause in dice.sample(list(SENSIBLE), dice.randint(0, 6)):
        more = [remedy for remedy in SENSIBLE[cause] if remedy not in FINAL]
        final = [remedy for remedy in SENSIBLE[cause] if remedy in FINAL]
        named[cause] = (*dice.sample(more, dice.randint(0, len(more))), dice.choice(final))
    return named


def asked(core: Assembled, dice: random.Random) -> None:
    """One request, and what must hold of it."""
    options: dict[str, Any] = {"on_stop": policy(dice), "cache": "skip"}
    options["mode"] = dice.choice([None, "verdict", "strict"])
    options["on_length"] = dice.choice([None, "error", "return", "retry", "continue"])
    core.fake.usual = core.spare.usual = lambda seen: dice.choice(SCRIPTS)
    outcome = core.ask(call(fields=dice.choice(FIELDS), stream=dice.random() < 0.5, **options))
    assert outcome.error is None or isinstance(outcome.error, (Refusal, BackendError)), outcome.error
    core.assert_settled(outcome.call)
    row = core.row(outcome.call)
    stages = row["detail"]["stages"]
    held = sum(stage["facts"]["tokens"] for stage in stages if stage["stage"] == "hold")
    used = [stage["facts"] for stage in stages if stage["stage"] == "generate"]
    billed = row["input_tokens"], row["output_tokens"]
    assert sum(billed) <= held
    assert billed == tuple(sum(one[name] for one in used) for name in ("input_tokens", "output_tokens"))
    if outcome.error is None and len(outcome.closed.completion.choices) == 1:
        assert outcome.streamed == (outcome.closed.completion.choices[0].message["content"] or "")


@pytest.fixture
def restored(core: Assembled) -> Iterator[Assembled]:
    usual = core.fake.usual
    yield core
    core.fake.usual = core.spare.usual = usual


def test_what_is_billed_was_set_aside_and_is_what_was_used(restored: Assembled) -> None:
    dice = random.Random(7)
    for _ in range(60):
        asked(restored, dice)


@pytest.mark.prove
def test_what_is_billed_was_set_aside_of_two_thousand_requests(restored: Assembled) -> None:
    dice = random.Random(8)
    for _ in range(2000):
        asked(restored, dice)
