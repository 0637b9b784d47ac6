"""schemas validate: one verdict a line, whatever the line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.cli.conftest import Ran, Tollgate
from tests.gateway.cli.journal import lines
from tests.gateway.schemas.hostile import CHECKED, REFUSED


def validated(tollgate: Tollgate, folder: Path, *pairs: Any) -> Ran:
    batch = folder / "batch.jsonl"
    batch.write_text("".join((pair if isinstance(pair, str) else json.dumps(pair)) + "\n" for pair in pairs))
    return tollgate("schemas", "validate", "--batch", batch)


def pair(schema: Any, instance: Any) -> dict[str, Any]:
    return {"schema": schema, "instance": instance}


def test_each_line_gets_its_verdict(tollgate: Tollgate, tmp_path: Path) -> None:
    integers = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["b"]}
    ran = validated(tollgate, tmp_path, pair(integers, {"a": 1, "b": 2}), pair(integers, {"a": "x"}), pair({}, None))
    assert ran.code == 0
    good, bad, anything = lines(ran.out)
    assert good == anything == {"valid": True, "errors": []}
    assert not bad["valid"]
    assert any(error.startswith("/a: ") for error in bad["errors"])
    assert any(error.startswith("the top: ") and "b" in error for error in bad["errors"])


def test_true_and_false_are_schemas(tollgate: Tollgate, tmp_path: Path) -> None:
    ran = validated(tollgate, tmp_path, pair(True, 1), pair(False, 1))
    assert [verdict["valid"] for verdict in lines(ran.out)] == [True, False]


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "http://127.0.0.1:1/x"}, {"$ref": "file:///etc/hostname"}, {"type": 3}, {"pattern": "("}, 7, None, "x"],
)
def test_a_schema_that_cannot_be_used_is_a_verdict_and_nothing_is_fetched(
    tollgate: Tollgate, tmp_path: Path, schema: Any
) -> None:
    ran = validated(tollgate, tmp_path, pair(schema, "text"))
    (verdict,) = lines(ran.out)
    assert (ran.code, verdict["valid"], len(verdict["errors"])) == (0, False, 1)


def test_a_hostile_line_is_told_and_the_rest_goes_on(tollgate: Tollgate, tmp_path: Path) -> None:
    hostile = [pair(schema, instance) for schema, instance in (CHECKED["branching recursion"], CHECKED["loop"])]
    refused = [pair(REFUSED[name][0], 1) for name in ("out of all bounds", "deep", "huge pattern")]
    ran = validated(tollgate, tmp_path, *hostile, *refused, pair({}, 1))
    verdicts = lines(ran.out)
    assert (ran.code, [verdict["valid"] for verdict in verdicts]) == (0, [False, True, False, False, False, True])
    assert "could not be checked within" in verdicts[0]["errors"][0]


def test_a_reference_elsewhere_is_named(tollgate: Tollgate, tmp_path: Path) -> None:
    ran = validated(tollgate, tmp_path, pair({"items": {"$ref": "https://example.com/item.json"}}, []))
    (verdict,) = lines(ran.out)
    assert "refers to 'https://example.com/item.json', and nothing is fetched" in verdict["errors"][0]


@pytest.mark.parametrize("line", ["", "{", "[]", '{"schema": {}}', "[" * 100_000, '{"schema": {}, "instance": NaN}'])
def test_a_line_that_is_no_pair_is_told_and_the_rest_goes_on(tollgate: Tollgate, tmp_path: Path, line: str) -> None:
    ran = validated(tollgate, tmp_path, line, pair({}, 1))
    assert ran.code == 1
    assert [verdict["valid"] for verdict in lines(ran.out)] == [False, True]


def test_a_file_that_is_not_there_is_named(tollgate: Tollgate, tmp_path: Path) -> None:
    ran = tollgate("schemas", "validate", "--batch", tmp_path / "absent.jsonl")
    assert (ran.code, "absent.jsonl" in ran.err) == (1, True)
