"""The arithmetic of the window, and what every policy may cost at most. The scripted backend counts 13 tokens."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import ContextLengthExceeded, InvalidValue
from gateway.exchange import Attempt, Call, Plan
from gateway.state import Scopes
from tests.fakes.backend import JSON, Script
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call, caller, template
from tests.gateway.conftest import Make

PROMPT, MAX_OUTPUT, WINDOW = 13, 64, 4096


def planned(gateway: Assembled, asked: Call) -> Plan:
    async def both() -> Plan:
        return await gateway.runtime.pipeline.preflight(asked, await gateway.runtime.pipeline.build(asked))

    return gateway.do(both())


@pytest.fixture
def narrow(make: Make) -> Assembled:
    """A window of 50 tokens, 37 of them left beside the prompt."""
    return make(models={"small": {"backends": ["first"], "window": 50, "max_output": 64}})


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, MAX_OUTPUT),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6, "max_tokens": 5}, 6),  # as vLLM reads them
        ({"max_tokens": 1_000_000}, WINDOW - PROMPT),
    ],
)
def test_the_ceiling_is_what_is_asked_within_the_window(core: Assembled, fields: dict[str, Any], output: int) -> None:
    plan = planned(core, call(fields=fields))
    assert (plan.input.tokens, plan.output, plan.room, plan.window) == (PROMPT, output, 0, WINDOW)
    assert plan.usage.total_tokens == PROMPT + output


def test_the_default_ceiling_shrinks_to_what_the_window_leaves(narrow: Assembled) -> None:
    assert planned(narrow, call()).output == 50 - PROMPT


def test_the_backend_is_told_the_ceiling(narrow: Assembled) -> None:
    narrow.ask()
    assert narrow.chats()[-1].body["max_completion_tokens"] == 50 - PROMPT


@pytest.mark.parametrize(("window", "fits"), [(PROMPT - 1, False), (PROMPT, False), (PROMPT + 1, True)])
def test_one_token_of_an_answer_must_fit(make: Make, window: int, fits: bool) -> None:
    gateway = make(models={"small": {"backends": ["first"], "window": window}})
    error = gateway.ask().error
    if fits:
        assert error is None
        return
    assert isinstance(error, ContextLengthExceeded)
    for number in (PROMPT, window, PROMPT + 1 - window):
        assert str(number) in str(error)


def test_a_floor_above_the_ceiling_is_refused(core: Assembled) -> None:
    error = core.ask(fields={"min_tokens": 6, "max_tokens": 5}).error
    assert isinstance(error, InvalidValue)
    assert error.param == "min_tokens"


def test_the_room_for_passages_is_what_input_and_output_leave(make: Make, docs: Any) -> None:
    sections = {"retrieve": {"docs": {"path": docs, "max_tokens": 30}}}
    roomy = make(models={"small": {"backends": ["first"], "window": 200}}, **sections)
    plan = planned(roomy, call(**template("answer", question="?"), fields={"max_tokens": 150}))
    assert (plan.room, plan.input.tokens + plan.room + plan.output) == (30, 193)
    plan = planned(roomy, call(**template("answer", question="?"), fields={"max_tokens": 170}))
    assert (plan.room, plan.input.tokens + plan.room + plan.output) == (17, 200)


def test_every_generation_that_a_policy_allows_is_in_the_ceiling(core: Assembled) -> None:
    """`retry`: once more, with twice the output. `continue`: the prompt grows by each part."""

    def attempts(**changes: Any) -> tuple[Attempt, ...]:
        return planned(core, call(fields={"max_tokens": 10} | changes.pop("fields", {}), **changes)).attempts

    first = Attempt(PROMPT, 10)
    assert attempts() == (first,)
    assert attempts(on_length="error") == (first,)
    assert attempts(on_length="retry") == (first, Attempt(PROMPT, 20, "retry"))
    assert attempts(on_length="retry", fields={"n": 3}) == (Attempt(PROMPT, 30), Attempt(PROMPT, 60, "retry"))
    parts = [Attempt(given, 10, "continue") for given in (23, 33, 43)]
    assert attempts(on_length="continue") == (first, *parts)


def test_later_generations_stay_within_the_window(narrow: Assembled) -> None:
    asked = call(fields={"max_tokens": 15}, on_length="continue")
    assert planned(narrow, asked).attempts == (
        Attempt(PROMPT, 15), Attempt(28, 15, "continue"), Attempt(43, 7, "continue"),
    )  # fmt: skip
    asked = call(fields={"max_tokens": 30}, on_length="retry")
    assert planned(narrow, asked).attempts == (Attempt(PROMPT, 30), Attempt(PROMPT, 37, "retry"))


def test_the_longest_of_the_models_that_may_answer_is_held(make: Make) -> None:
    """Another model counts its own tokens; the hold covers whichever answers."""
    gateway = make()
    counted = b'{"count": 100, "max_model_len": 4096, "tokens": [], "token_strs": null}'
    gateway.spare.answers["/tokenize"] = Script((counted,), headers=JSON)
    plan = planned(gateway, call(fields={"max_tokens": 10}))
    assert plan.input.tokens == PROMPT
    assert plan.attempts == (Attempt(100, 10),)


def test_messages_that_the_model_cannot_take_are_refused_with_its_reason(make: Make) -> None:
    gateway = make()
    refused = b'{"error": {"message": "roles must alternate", "param": "messages"}}'
    gateway.fake.answers["/tokenize"] = Script((refused,), status=400, headers=JSON)
    error = gateway.ask().error
    assert isinstance(error, InvalidValue)
    assert "roles must alternate" in str(error)


def test_a_fallback_that_the_key_may_not_use_is_not_planned(core: Assembled) -> None:
    who = replace(caller(), scopes=Scopes(models=("small",)))
    assert planned(core, call(who=who)).models == ("small",)
    assert planned(core, call()).models == ("small", "other")
