"""Schemas kept, and where they are judged: here, or by a process."""

import asyncio
from typing import Any

import pytest

from gateway.errors import InvalidValue
from gateway.schemas.compiled import KEPT, LONG, QUICK_FAULTS, Compiled, Known
from gateway.schemas.validators import Judged

ANCHORED = {"$ref": "#it", "$defs": {"it": {"$anchor": "it", "items": {"type": "integer"}}}}  # not followed: a process
DEADLINE_S = 20.0


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return Compiled(DEADLINE_S)


def known(compiled: Compiled, schema: dict[str, Any]) -> Known:
    return asyncio.run(compiled.known(schema, "response_format"))


def judged(compiled: Compiled, schema: dict[str, Any], text: str) -> Judged:
    async def run() -> Judged:
        return await compiled.judged(await compiled.known(schema, "response_format"), text.encode())

    return asyncio.run(run())


def test_the_most_recently_used_are_kept() -> None:
    compiled = Compiled(DEADLINE_S)
    first = known(compiled, {"const": 0})
    for number in range(1, KEPT):
        known(compiled, {"const": number})
    assert known(compiled, {"const": 0}) is first  # used again: the oldest is now 1
    known(compiled, {"const": KEPT})
    assert known(compiled, {"const": 0}) is first
    assert len(compiled._kept) == KEPT


def test_equal_schemas_are_compiled_once_whatever_the_order_of_their_keys(compiled: Compiled) -> None:
    one = known(compiled, {"type": "string", "maxLength": 3})
    assert known(compiled, {"maxLength": 3, "type": "string"}) is one


def test_a_small_schema_is_compiled_here_and_another_one_by_a_process(compiled: Compiled) -> None:
    assert known(compiled, {"type": "array"}).validator is not None
    assert known(compiled, ANCHORED).validator is None
    assert known(compiled, {"properties": {f"p{n}": {"type": "null"} for n in range(300)}}).validator is None


def test_here_and_there_find_the_same(compiled: Compiled) -> None:
    here = {"items": {"type": "integer"}}
    for text in ("[1, 2]", '["a", 1, "b", 2, "c", "d"]', "[1,", "", '{"a": 1}'):
        assert judged(compiled, here, text) == judged(compiled, ANCHORED, text)
    dated = {"items": {"format": "date"}}
    assert judged(compiled, dated, '["x"]') == judged(compiled, {"$dynamicAnchor": "x", **dated}, '["x"]')


def test_the_faults_of_a_long_answer_are_looked_for_by_a_process(compiled: Compiled) -> None:
    wrong = "[" + '"x",' * QUICK_FAULTS + "1]"
    schema = {"items": {"type": "integer"}}
    assert known(compiled, schema).validator is not None
    assert judged(compiled, schema, wrong).faults == tuple(
        f'/{n}: the value is not of type "integer"' for n in range(3)
    )
    assert judged(compiled, schema, "[" * 5000).faults[0].startswith("the answer is no JSON")
    assert judged(compiled, schema, wrong.replace('"x"', "1")) == Judged()


def test_of_a_very_long_answer_the_first_fault_is_told(compiled: Compiled) -> None:
    wrong = "[" + '"x",' * (LONG // 4) + "1]"
    assert judged(compiled, {"items": {"type": "integer"}}, wrong).faults == ('/0: the value is not of type "integer"',)


def test_what_may_be_much_work_for_a_long_answer_is_left_to_a_process_too() -> None:
    no_time = Compiled(deadline_s=0.0)
    schema = {"items": {"allOf": [{"minimum": bound} for bound in range(100)]}}
    assert judged(no_time, schema, "[500]") == Judged()
    (fault,) = judged(no_time, schema, "[" + "500," * 5000 + "500]").faults
    assert fault.startswith("the answer could not be checked within 0 s")


def test_a_schema_that_only_a_process_knows_can_be_refused_too(compiled: Compiled) -> None:
    with pytest.raises(InvalidValue, match="cannot be used: /\\$defs/it/type") as caught:
        known(compiled, {"$ref": "#it", "$defs": {"it": {"$anchor": "it", "type": "nothing"}}})
    assert caught.value.param == "response_format"


def test_what_is_no_json_is_refused(compiled: Compiled) -> None:
    with pytest.raises(InvalidValue, match="no JSON that can be sent on"):
        known(compiled, {"const": 1 << 70})
