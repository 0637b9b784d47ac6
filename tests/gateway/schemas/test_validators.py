"""Compiled JSON Schemas: what they find, what they refuse to compile, and that they fetch nothing."""

import http.server
import threading
from pathlib import Path

import pytest

from gateway.errors import InvalidValue
from gateway.schemas import KEPT, SHOWN_FAULTS, Schemas

INTEGERS = {"type": "array", "items": {"type": "integer"}}


def test_a_valid_value_has_no_faults() -> None:
    assert Schemas().faults(INTEGERS, [1, 2]) == []


def test_faults_are_paths_with_their_keyword_and_bounded() -> None:
    faults = Schemas().faults(INTEGERS, ["a", 1, "b", "c", "d"])
    assert faults == ["/0 (type)", "/2 (type)", "/3 (type)"]
    assert len(faults) == SHOWN_FAULTS
    assert Schemas().faults(INTEGERS, "secret") == ["the top (type)"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integr"},
        {"$ref": "#/nowhere"},
        {"pattern": "("},
        {"pattern": "(a)\\1"},  # a backreference: no linear-time engine has it
        {"minLength": "five"},
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(InvalidValue, match="cannot be used") as caught:
        Schemas().compile(schema)
    assert caught.value.param == "response_format"


def test_nothing_is_fetched(tmp_path: Path) -> None:
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
            with pytest.raises(InvalidValue):
                Schemas().compile({"$ref": reference})
        server.shutdown()
    assert asked == []


def test_a_pattern_cannot_stall_a_check() -> None:
    """A backtracking engine would take longer than the universe on this."""
    assert Schemas().faults({"pattern": "^(a+)+$"}, "a" * 5000 + "!") == ["the top (pattern)"]


def test_the_most_recently_used_are_kept() -> None:
    schemas = Schemas()
    first = schemas.compile({"const": 0})
    for number in range(1, KEPT):
        schemas.compile({"const": number})
    assert schemas.compile({"const": 0}) is first  # used again: the oldest is now 1
    schemas.compile({"const": KEPT})
    assert schemas.compile({"const": 0}) is first
    assert len(schemas._kept) == KEPT


def test_equal_schemas_are_compiled_once_whatever_the_order_of_their_keys() -> None:
    schemas = Schemas()
    one = schemas.compile({"type": "string", "maxLength": 3})
    assert schemas.compile({"maxLength": 3, "type": "string"}) is one
