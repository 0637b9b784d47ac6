"""One compiled schema: what it finds, what it refuses to compile, and that it fetches nothing."""

import http.server
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.schemas.validators import LONGEST, SHOWN_FAULTS, Judged, Unusable, Validator, judged

INTEGERS = {"type": "array", "items": {"type": "integer"}}


def validator(schema: dict[str, Any]) -> Validator:
    return Validator(schema, json.dumps(schema).encode())


def found(schema: dict[str, Any], text: str) -> Judged:
    return judged(validator(schema), text.encode())


def test_a_valid_value_has_no_faults() -> None:
    assert found(INTEGERS, "[1, 2]") == Judged()


def test_faults_are_pointers_with_what_is_wrong_there_and_bounded() -> None:
    faults = found(INTEGERS, '["a", 1, "b", "c", "d"]').faults
    assert faults == tuple(f'/{n}: the value is not of type "integer"' for n in (0, 2, 3))
    assert len(faults) == SHOWN_FAULTS
    assert judged(validator(INTEGERS), b'["a", "b"]', most=1).faults == faults[:1]


def test_a_pointer_is_escaped() -> None:
    (fault,) = found({"properties": {"a/b~c": {"type": "null"}}}, '{"a/b~c": 1}').faults
    assert fault.startswith("/a~1b~0c: ")


def test_a_fault_does_not_quote_the_answer_and_has_an_end() -> None:
    assert found({"const": 1}, '"secret"').faults == ("the top: 1 was expected",)
    assert len(found({"const": "x" * 1000}, "1").faults[0]) == LONGEST


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "NaN", "[1,]", '{"a": 1} and more', '"\\ud800"', "[" * 1000])
def test_what_is_no_json_is_said_with_its_place(text: str) -> None:
    (fault,) = found({}, text).faults
    assert fault.startswith("the answer is no JSON: ")
    assert "line 1 column" in fault


def test_numbers_may_have_any_size() -> None:
    assert found({"type": "integer", "minimum": 0}, "1" * 40) == Judged()
    assert found({"maximum": 5}, "1e999").faults


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integr"},
        {"$ref": "#/nowhere"},
        {"pattern": "("},
        {"pattern": "(a)\\1"},  # a backreference: no linear-time engine has it
        {"pattern": "(?=a)"},
        {"minLength": "five"},
        {"properties": {"a": 3}},
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_place(schema: dict[str, Any]) -> None:
    with pytest.raises(Unusable, match=r"^/|'/nowhere' does not exist"):
        validator(schema)


def test_nothing_is_fetched_and_what_would_be_is_named(tmp_path: Path) -> None:
    """Neither over HTTP, from a server that would answer, nor from a file that is there."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

    file = tmp_path / "other.json"
    file.write_text("{}")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for reference in (f"http://127.0.0.1:{server.server_port}/s.json", file.as_uri()):
            for keyword in ("$ref", "$schema", "$dynamicRef"):
                with pytest.raises(Unusable) as caught:
                    validator({keyword: reference})
                assert f"it refers to '{reference}', and nothing is fetched" in str(caught.value)
        server.shutdown()
    assert asked == []


def test_the_dialect_is_that_of_the_schema() -> None:
    tuple_of_one = {"items": [{"type": "integer"}], "additionalItems": False}
    draft7 = {"$schema": "http://json-schema.org/draft-07/schema#", **tuple_of_one}
    assert found(draft7, "[1]") == Judged()
    assert found(draft7, "[1, 2]").faults
    with pytest.raises(Unusable, match="/items"):
        validator(tuple_of_one)


def test_a_format_is_an_annotation_and_what_differs_is_flagged() -> None:
    for dialect in ("http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"):
        schema = {"$schema": dialect, "format": "date"}
        assert found(schema, '"2026-11-22"') == Judged()
        assert found(schema, '"tomorrow"') == Judged(flags=("format",))
    assert found({"format": "of our own"}, '"x"') == Judged()
    assert found({"not": {"format": "date"}}, '"2026-11-22"').flags == ()


def test_a_pattern_cannot_stall_a_check() -> None:
    """A backtracking engine would take longer than the universe on this."""
    assert found({"pattern": "^(a+)+$"}, json.dumps("a" * 5000 + "!")).faults
