"""From the engine's words to the journal's columns, through the whole gateway."""

from typing import Any

import pytest

from tests.fakes.backend import RST, Script, said, words
from tests.gateway.assembled import Assembled, Outcome
from tests.gateway.calls import caller, template

ENGINE = "vllm-fake"  # as it calls itself in the last chunk, like vLLM


def engine(*texts: str, finish: str = "stop") -> Script:
    return Script(said(*texts, finish=finish))


def columns(core: Assembled, asked: Outcome) -> tuple[Any, ...]:
    row = core.row(asked.call)
    return row["cause"], row["fingerprint"], row["checks"]


def test_a_good_answer_was_judged_and_a_cached_one_is_not_judged_again(core: Assembled) -> None:
    who = caller()
    core.fake.plan(engine("Hello"))
    assert columns(core, core.ask("Hello there", who=who)) == ("stop", ENGINE, "")
    again = core.ask("Hello there", who=who)
    assert again.cache["verdict"] == "exact"
    assert columns(core, again)[1:] == (None, None)


def test_what_is_refused_for_its_length_is_counted_with_the_engine_that_made_it(core: Assembled) -> None:
    core.fake.plan(engine("Hel", finish="length"))
    cut = core.ask("Hello, cut", on_length="error")
    assert core.row(cut.call)["error"] == "output_truncated"
    assert columns(core, cut)[1:] == (ENGINE, "truncated")


def test_what_is_no_json_is_counted_as_invalid(core: Assembled, monkeypatch: pytest.MonkeyPatch) -> None:
    for backend in (core.fake, core.spare):  # however often it is asked to repair it, and the fallback too
        monkeypatch.setattr(backend, "usual", lambda seen: engine("no JSON"))
    wrong = core.ask(**template("classify-ticket", ticket="It is broken."))
    assert core.row(wrong.call)["error"] == "output_invalid"
    _, fingerprint, checks = columns(core, wrong)
    assert fingerprint == ENGINE
    assert "invalid" in checks.split()


def test_a_broken_engine_is_an_error_and_a_refusal_before_it_is_nothing(core: Assembled) -> None:
    core.ask("Hello, whole")
    core.fake.plan(Script((*words("Hel"), RST)))
    assert columns(core, core.ask("Hello, broken"))[1:] == (ENGINE, "error"), "as the engine was called before"
    assert columns(core, core.ask("Hello", model="nobody")) == (None, None, None)
    assert columns(core, core.ask("Hello", who=caller(limits=("tokens/day=1",)))) == (None, None, None)
