"""An answer while it streams: never stopped while it can still become valid, and stopped early where it cannot."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.exchange.wanted import Format
from gateway.schemas.progress import LEAST, Progress
from gateway.schemas.repair import repaired
from gateway.schemas.validators import Validator, parsed
from tests.conformance.json_schema_suite import DIALECTS, cases
from tests.gateway.schemas.made import COMMENTED, VALUES, WHITE, satisfied, written

PAD = " " * LEAST  # with it the first look is at once


def stopped(schema: dict[str, Any], text: str) -> str | None:
    return Progress(Format("json", schema)).add(PAD + text)


def stopped_at(schema: dict[str, Any], text: str) -> int | None:
    """After how many of its characters."""
    return next((end for end in range(1, len(text) + 1) if stopped(schema, text[:end])), None)


RECORD = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2}},
    "required": ["id"],
    "additionalProperties": False,
}
LIST = {"type": "array", "items": {"anyOf": [RECORD, {"type": "null"}]}}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (RECORD, '{"id": "x"'),
        (RECORD, '{"id": 1.5,'),
        (RECORD, '{"other": 1,'),
        (RECORD, '{"tags": ["c"'),
        (RECORD, '{"tags": ["a", "b", "a"'),
        (RECORD, "["),
        (LIST, '[{"tags": []}, {'),  # an id is missing, and the object is closed
        (LIST, '[{"tags": {}'),
        (LIST, "[null, 1,"),
        (RECORD, '{"id": 1]'),
        (RECORD, '{"id": 1 "tags": []'),
        (RECORD, "{id:"),
        (RECORD, "```json\n[1,"),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "properties": {"c": {"type": "null"}}}, '{"c": 1,'),
        ({"items": {"unevaluatedProperties": False}}, '[{"a": 1}, {'),
        ({"minItems": 3, "prefixItems": [{"not": {"const": 1}}]}, "[1,"),
    ],
)
def test_what_nothing_can_heal_is_a_fault_at_once(schema: dict[str, Any], text: str) -> None:
    assert stopped(schema, text)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (RECORD, '{"id": 1'),
        (RECORD, '{"id": tru'),  # no integer, but that is only sure once the word is whole
        (RECORD, '{"tags": ["a", "c'),
        (RECORD, '{"ot'),
        (LIST, '[{"tags": []'),
        (RECORD, "Here it is: [see below]"),
        (RECORD, "```json"),
        (RECORD, '```json\n{"id": 1,}\n``` That'),
        (RECORD, '{"id": 1, // the {first\n'),
        (RECORD, '{"id": 1, /'),
        (RECORD, '{"id": 1} is it'),
        ({"const": {"a": [1]}}, '{"a": ['),
        ({"uniqueItems": True}, "[[1], [1"),
        ({"not": {"maxProperties": 1}}, '{"a": 1,'),
        ({"if": {"maxItems": 1}, "then": False}, "[1,"),
        ({"oneOf": [{"maxItems": 2}, {"minItems": 1}]}, "[1,"),
        ({"prefixItems": [True], "unevaluatedItems": False, "anyOf": [{"minItems": 2, "items": True}, {}]}, "[1, 2,"),
    ],
)
def test_what_may_still_become_valid_goes_on(schema: dict[str, Any], text: str) -> None:
    assert stopped(schema, text) is None


@settings(deadline=None, max_examples=30)
@given(VALUES.flatmap(lambda value: st.tuples(st.just(value), satisfied(value))), st.data())
def test_no_beginning_of_a_valid_answer_is_stopped(both: tuple[Any, dict[str, Any]], data: st.DataObject) -> None:
    value, schema = both
    text = data.draw(written(value, WHITE) | written(value, COMMENTED, trailing=True))
    fixed = repaired(text)
    if fixed is None or not Validator(schema, b"").accepts(parsed(fixed.encode())):
        return  # a scalar with comments behind it, say
    fence = data.draw(st.sampled_from(("", "", "```json\n")))
    assert stopped_at(schema, fence + text) is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_beginning_of_a_valid_value_of_the_suite_is_stopped(dialect: str) -> None:
    seen = 0
    for case in cases(dialect):
        for value, valid in case.tests:
            if valid and isinstance(value, (dict, list)):
                assert stopped_at(case.schema, json.dumps(value)) is None, case.name
                seen += 1
    assert seen > 200


@pytest.mark.parametrize(("dialect", "share"), [("draft2020-12", 0.97), ("draft7", 0.97)])
def test_a_list_is_stopped_when_the_item_after_a_wrong_one_begins(dialect: str, share: float) -> None:
    """But for what a condition demands (`then`, `else`). References would mean something else within a list."""
    wrong = caught = 0
    for case in cases(dialect):
        if any(word in json.dumps(case.schema) for word in ('"$ref"', '"$id"', '"$dynamicRef"', "http://localhost")):
            continue
        listed = {"$schema": DIALECTS[dialect], "items": case.schema}
        for value in (value for value, valid in case.tests if not valid):
            wrong += 1
            caught += stopped(listed, json.dumps([value, value])[:-1]) is not None
    assert wrong > 300
    assert caught / wrong > share


def test_choices_are_followed() -> None:
    def choosing(text: str) -> str | None:
        return Progress(Format("choice", choices=("x" * 80, "y" * 90))).add(text)

    assert choosing("x" * 70) is None
    assert choosing("y" * 90) is None
    assert choosing("x" * 81)


def test_nothing_is_said_of_what_is_not_followed() -> None:
    for format in (Format(), Format("regex", regex="a"), Format("grammar")):
        assert Progress(format).add("{" * 200) is None


def test_a_text_is_looked_at_again_after_it_grew_by_an_eighth() -> None:
    progress = Progress(Format("json", {"items": {"type": "integer"}}))
    assert progress.add("[" + "1," * 500) is None
    assert progress.add('"x",' * 10) is None  # 40 characters of 1,001
    assert progress.add('"x",' * 40) == '/500: "x" is not of type "integer"'.replace('"x"', "the value", 1)


def test_a_long_text_with_comments_is_followed_no_further() -> None:
    progress = Progress(Format("json", {"items": {"type": "integer"}}))
    assert progress.add("[1, // one\n" + "2," * 40_000) is None
    assert progress.add("2 2," * 10_000) is None
    plain = Progress(Format("json", {"items": {"type": "integer"}}))
    assert plain.add("[1," + "2," * 40_000 + "2 2,")


def test_a_schema_that_is_not_small_is_followed_by_its_syntax() -> None:
    schema = {"$ref": "#other", "$defs": {"other": {"$anchor": "other", "type": "array"}}}
    assert stopped(schema, '{"a": 1,') is None
    assert stopped(schema, '{"a" 1, ')
