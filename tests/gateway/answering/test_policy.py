"""Whose word counts for the remedies of an answer, and what a mode leaves of them."""

from typing import Any

import pytest

from gateway.answering.policy import Policy, applicable, policy, short
from gateway.errors import InvalidValue
from gateway.exchange import wanted
from gateway.settings import Check, Model
from gateway.stopping import FINAL
from prompts.template import parse
from tests.gateway.calls import call

JSON = {"response_format": {"type": "json_object"}}
TOOLS = {"tools": [{"type": "function", "function": {"name": "f"}}]}


def written(**front: str) -> Any:
    lines = "\n".join(f"{name}: {value}" for name, value in front.items())
    source = f'---\ndescription: d\nvariables: {{}}\n{lines}\n---\n{{% message role="user" %}}Hi{{% endmessage %}}\n'
    return parse("t", "t.md.j2", source.encode())


def said(
    fields: dict[str, Any] | None = None, template: Any = None, model: Any = None, check: Any = None,
    stream: bool = False, **options: Any,
) -> Policy:  # fmt: skip
    asked = call(fields=fields, stream=stream, **options)
    section = Model.model_validate({"backends": ["b"], **(model or {})})
    return policy(asked, template, section, Check.model_validate(check or {}), wanted(fields or {}))


def test_each_place_is_above_the_next() -> None:
    places: dict[str, Any] = {
        "on_stop": {"ceiling": ("flag",)},
        "on_length": "continue",
        "template": written(on_length="retry"),
        "model": {"on_stop": {"ceiling": ["fallback", "error"]}},
        "check": {"on_length": "error"},
    }
    expected = [("flag",), ("continue", "return"), ("retry", "error"), ("fallback", "error"), ("error",), ("return",)]
    for remedies in expected:
        assert said(**places).on_stop["ceiling"] == remedies
        if places:
            del places[next(iter(places))]


@pytest.mark.parametrize("fields", [JSON, TOOLS])
def test_what_cannot_be_gone_on_with_is_asked_for_again(fields: dict[str, Any]) -> None:
    assert said(fields, on_length="continue").on_stop["ceiling"] == ("retry", "error")
    named = {"ceiling": ("continue", "fallback", "return")}
    assert said(fields, on_stop=named).on_stop["ceiling"] == ("retry", "fallback", "return")


def test_half_an_object_is_refused_unless_somebody_says_otherwise() -> None:
    assert said(JSON, check={"on_length": "return"}).on_stop["ceiling"] == ("error",)
    assert said(JSON, on_length="return").on_stop["ceiling"] == ("return",)


@pytest.mark.parametrize(
    ("options", "param"),
    [({"on_length": "continue"}, "gateway.on_length"), ({"on_stop": {"ceiling": ("continue",)}}, "gateway.on_stop")],
)
def test_several_choices_are_not_continued(options: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        said({"n": 2}, **options)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({}, "verdict"),
        ({"check": {"mode": "strict"}}, "strict"),
        ({"check": {"mode": "strict"}, "template": written(mode="verdict")}, "verdict"),
        ({"template": written(on_length="retry")}, "strict"),
        ({"on_length": "retry"}, "strict"),
        ({"on_length": "retry", "mode": "verdict"}, "verdict"),
        ({"on_length": "continue"}, "verdict"),
        ({"model": {"on_stop": {"ceiling": ["retry", "error"]}}}, "verdict"),
    ],
)
def test_the_mode_of_a_stream(given: dict[str, Any], mode: str) -> None:
    assert said(stream=True, **given).mode == mode


def test_a_buffered_answer_is_held_back_only_where_something_may_be_taken_back() -> None:
    assert said().mode == "verdict"
    assert said(JSON).mode == said(on_length="retry").mode == "strict"


def test_a_stream_that_is_shown_keeps_what_does_not_take_back() -> None:
    stops = said(JSON, stream=True, on_stop={"empty": ("retry", "error"), "ceiling": ("fallback", "return")})
    shown = applicable(stops.on_stop, "verdict")
    assert (shown["invalid"], shown["ceiling"], shown["empty"]) == (("error",), ("return",), ("retry", "error"))
    assert applicable(stops.on_stop, "strict")["invalid"] == ("repair", "fallback", "error")


@pytest.mark.parametrize("on_length", ["error", "return", "retry", "continue", None])
@pytest.mark.parametrize("mode", ["verdict", "strict"])
def test_every_cause_comes_to_an_end(on_length: Any, mode: Any) -> None:
    stops = said(on_length=on_length, on_stop={"ceiling": ("continue",)} if on_length is None else {})
    assert all(remedies[-1] in FINAL for remedies in applicable(stops.on_stop, mode).values())
    assert applicable({"ceiling": ("continue",)}, mode) == {"ceiling": ("continue", "return")}


def test_on_length_is_short_for_what_is_cut() -> None:
    assert short(None, uncontinued=False) == {}
    assert short("continue", uncontinued=False)["tool_cut"] == ("return",)
    assert short("retry", uncontinued=False)["window"] == ("shorten", "error")
