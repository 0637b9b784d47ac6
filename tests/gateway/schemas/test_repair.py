"""Text around JSON: taken away where there is one value, and nothing ever added or changed."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.schemas.repair import cleaned, repaired
from tests.gateway.schemas.made import COMMENTED, VALUES, WHITE, written

CONTAINERS = VALUES.filter(lambda value: isinstance(value, (dict, list)))
PROSE = st.text("ab c.:`'\n", max_size=20)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ("\n```\r\n[1]\r\n```\n", "[1]"),
        ('```json\n"text"\n```', '"text"'),
        ('Here it is:\n{"a": "b"}\nAnything else?', '{"a": "b"}'),
        ("Sure!\n```json\n[1,\n]\n```\nDone.", "[1\n]"),
        ('{"a": [1, 2,], // two\n "b": /* none */ null,}', '{"a": [1, 2],  \n "b":   null}'),
        ('{"url": "https://a/*b*/", "t": "[1,]",}', '{"url": "https://a/*b*/", "t": "[1,]"}'),
        ('{"a": "\\"}"} ok', '{"a": "\\"}"}'),
    ],
)
def test_what_may_go_goes(text: str, value: str) -> None:
    assert repaired(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "", "no JSON at all", "```json\n```", "{", '{"a": 1', '{"a": tru', "[1, 2", "[1 2]", "{a: 1}", "{'a': 1}",
        '{"a": }', "[,]", "[1,,]", "{,}", '{"a",}', "[1, NaN]", "[1]]", "[1}", '[1] or [2]', 'in [this] one: {"a": 1}',
        '{"a": 1}{"b": 2}', '{"a": "b\nc"}', "1/* */2", "[1/**/2]", '["a" "b"]', "True", "/* 1",
    ],
)  # fmt: skip
def test_what_is_wrong_stays_wrong(text: str) -> None:
    assert repaired(text) is None


@settings(deadline=None, max_examples=50)
@given(VALUES.flatmap(lambda value: written(value, WHITE)))
def test_json_stays_as_it_is(text: str) -> None:
    assert cleaned(text) == text
    assert repaired(text) == text


@settings(deadline=None, max_examples=50)
@given(
    CONTAINERS.flatmap(lambda value: st.tuples(st.just(value), written(value, COMMENTED, trailing=True))), PROSE, PROSE
)
def test_the_value_is_what_it_was_without_what_was_around_and_between(
    both: tuple[Any, str], before: str, after: str
) -> None:
    value, text = both
    for around in (text, f"```json\n{text}\n```", f"{before}{text}{after}"):
        found = repaired(around)
        assert found is not None
        assert json.loads(found) == value


@settings(deadline=None, max_examples=50)
@given(VALUES.flatmap(lambda value: written(value, COMMENTED, trailing=True)), st.data())
def test_nothing_is_added_whatever_the_text(text: str, data: st.DataObject) -> None:
    """Of a text with some of its characters gone or doubled: what remains stands there, in this order."""
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(("", '"', ",", "[", "}", "a", "/", "*/"))) + text[at + 1 :]
    found = repaired(text)
    if found is not None:
        rest = iter(text)
        assert all(one in rest for one in found if not one.isspace())
