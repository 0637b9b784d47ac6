"""Answers that must call a tool, and answers of several choices of which one fails: none is given for its neighbour."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.errors import OutputInvalid
from tests.fakes.backend import DONE, Script, first, last, piece, said
from tests.fakes.background import running
from tests.fakes.said import called
from tests.gateway.assembled import Assembled, assembled

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
JSON = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}
NAMED = {"type": "function", "function": {"name": "f"}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    with running(assembled(tmp_path_factory.mktemp("demanded"))) as made:
        yield made


def tools(choice: Any) -> dict[str, Any]:
    listed = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("f", "g")]
    return {"tools": listed, "tool_choice": choice}


@pytest.mark.parametrize("choice", ["required", NAMED])
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_without_the_call_that_was_demanded_is_none(gateway: Assembled, choice: Any, stream: bool) -> None:
    gateway.fake.plan(*(Script(said("no", " call")) for _ in range(2)))
    outcome = gateway.ask(fields=tools(choice), stream=stream, on_stop={"invalid": ("repair", "error")})
    assert isinstance(outcome.error, OutputInvalid)
    assert "no tool is called" in outcome.error.message


def test_the_second_answer_may_call_it(gateway: Assembled) -> None:
    gateway.fake.plan(Script(said("no", " call")), Script(called("f", '{"a":1}')))
    outcome = gateway.ask(fields=tools("required"))
    assert outcome.closed.gateway["stop"]["remedies"] == ["repair"]
    assert outcome.closed.gateway["checks"]["schema"] == "valid"


def test_another_tool_than_the_one_that_was_named_is_not_called(gateway: Assembled) -> None:
    gateway.fake.plan(Script(called("g", '{"a":1}')))
    outcome = gateway.ask(fields=tools(NAMED), on_stop={"invalid": ("error",)})
    assert isinstance(outcome.error, OutputInvalid)


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_the_call_that_was_demanded_is_given(gateway: Assembled, choice: Any) -> None:
    gateway.fake.plan(Script(called("f", '{"a":1}')))
    assert gateway.ask(fields=tools(choice)).closed.gateway["checks"]["schema"] == "valid"


def test_a_choice_that_fails_is_not_given_because_another_was_cut(gateway: Assembled) -> None:
    ended, cut = piece({"content": '{"b":1}'}, 3, "stop"), piece({"content": '{"a":'}, 3, "length", 1)
    gateway.fake.plan(Script((first(), first(1), ended, cut, last(6, 2), DONE)))
    outcome = gateway.ask(fields=JSON | {"n": 2}, on_length="return", on_stop={"invalid": ("error",)})
    assert isinstance(outcome.error, OutputInvalid)
