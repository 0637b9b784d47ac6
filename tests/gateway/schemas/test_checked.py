"""Answers against their formats: valid, repaired, invalid with its faults, or flagged."""

import asyncio
import json
from typing import Any

import pytest

from gateway.errors import InvalidValue
from gateway.exchange.wanted import ANY, Format, Tool, wanted
from gateway.schemas import Checked, Schemas

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
JSON = Format("json", SCHEMA)
SCHEMAS = Schemas()


def checked(format: Format, content: str | None, finish_reason: str = "stop", **message: Any) -> Checked:
    return asyncio.run(SCHEMAS.checked(format, {"role": "assistant", "content": content, **message}, finish_reason))


def called(*tools: Tool, **arguments: str) -> Checked:
    calls = [{"function": {"name": name, "arguments": text}} for name, text in arguments.items()]
    return checked(Format(tools=tools), None, "tool_calls", tool_calls=calls)


def accepted(format: Format) -> None:
    asyncio.run(SCHEMAS.accept(format))


def test_text_has_no_format_and_a_grammar_only_the_engine_checks() -> None:
    assert checked(Format(), "anything") == Checked("none")
    assert checked(Format("grammar"), "anything") == Checked("unchecked")


def test_json_is_valid_or_invalid_with_its_faults() -> None:
    assert checked(JSON, '{"a": 1}') == Checked("valid")
    assert checked(JSON, '{"a": "x"}') == Checked("invalid", ('/a: the value is not of type "integer"',))
    for empty in (None, ""):
        assert checked(JSON, empty).faults[0].startswith("the answer is no JSON: EOF")


def test_text_around_json_is_repaired_after_a_stop_only_and_then_validated() -> None:
    fenced = '```json\n{"a": 1,}\n```'
    assert checked(JSON, fenced) == Checked("repaired", content='{"a": 1}')
    assert checked(JSON, fenced, "length").schema == "invalid"
    assert checked(JSON, '```json\n{"a": "x"}\n```') == Checked("invalid", ('/a: the value is not of type "integer"',))
    assert checked(JSON, '{"a": 1').schema == "invalid"


def test_a_format_of_a_string_that_does_not_hold_is_flagged() -> None:
    dated = Format("json", {"format": "date"})
    assert checked(dated, '"2026-11-22"') == Checked("valid")
    assert checked(dated, '"soon"') == Checked("valid", flags=("format",))
    assert checked(dated, '```\n"soon"\n```') == Checked("repaired", content='"soon"', flags=("format",))


@pytest.mark.parametrize(
    ("regex", "text", "valid"),
    [
        ("a|b", "a", True), ("a|b", "ab", False), ("a|b", "xa", False), ("[0-9]{3}", "123", True), ("", "", True),
        ("a+", "a\n", False), ("\\d", "٣", False), ("(?i)A.", 'a"', True),
    ],
)  # fmt: skip
def test_a_regex_matches_the_whole_answer(regex: str, text: str, valid: bool) -> None:
    format = Format("regex", regex=regex)
    accepted(format)
    assert checked(format, text).schema == ("valid" if valid else "invalid")


def test_a_choice_is_exactly_one_of_them() -> None:
    format = Format("choice", choices=("yes", "no"))
    assert checked(format, "no") == Checked("valid")
    assert checked(format, "no ") == Checked("invalid", ("the answer is none of the choices",))


def test_a_schema_that_was_never_accepted_makes_an_answer_invalid() -> None:
    (fault,) = checked(Format("json", {"type": 3}), "1").faults
    assert "cannot be used: /type" in fault


LOOK_UP = Tool("look_up", SCHEMA, strict=False)
STRICT = Tool("strict", SCHEMA, strict=True)


@pytest.mark.parametrize("arguments", ['{"a": "x"}', "{}", "[1]", '{"a": 1', "null"])
def test_arguments_that_do_not_satisfy_a_tool_are_flagged_or_invalid_where_it_is_strict(arguments: str) -> None:
    assert called(LOOK_UP, look_up=arguments) == Checked("valid", flags=("tool_arguments",))
    found = called(STRICT, strict=arguments)
    assert found.schema == "invalid"
    assert found.faults[0].startswith("arguments of strict: ")


def test_calls_are_valid_where_their_arguments_are() -> None:
    assert called(LOOK_UP, STRICT, look_up='{"a": 1}', strict='{"a": 2}') == Checked("valid")
    bare = Tool("bare", None, strict=True)
    assert called(bare, bare="") == Checked("valid")
    assert called(bare, bare="[]").schema == "invalid"


def test_an_unknown_tool_is_flagged_or_invalid_where_a_call_was_demanded() -> None:
    assert called(LOOK_UP, other="{}") == Checked("valid", flags=("tool_unknown",))
    assert called(other="{}") == Checked("valid", flags=("tool_unknown",))
    assert called(STRICT, other="{}").schema == "invalid"
    assert "secret" not in str(called(STRICT, secret="{}"))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": 3}}}}, "response_format"),
        ({"structured_outputs": {"json": {"$ref": "http://elsewhere/x"}}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a)|(b"}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "(?=a)b"}}, "structured_outputs"),
        ({"tools": [{"function": {"name": "f", "parameters": {"pattern": "("}}}]}, "tools"),
    ],
)
def test_what_cannot_be_checked_is_refused_before_and_names_its_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidValue, match="cannot be used") as caught:
        accepted(wanted(fields))
    assert caught.value.param == param


def test_what_can_be_checked_is_accepted() -> None:
    accepted(Format("json", ANY, tools=(LOOK_UP, Tool("bare", None, strict=False))))
    accepted(wanted(json.loads('{"response_format": {"type": "json_object"}}')))
