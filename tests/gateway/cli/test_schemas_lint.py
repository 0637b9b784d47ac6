"""schemas lint: what the engine makes of a schema, in rows; errors are exit code 1."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.gateway.cli.conftest import ROOT, Tollgate

GOOD: dict[str, Any] = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "additionalProperties": False}
UNIQUE = GOOD | {"properties": {"tags": {"type": "array", "uniqueItems": True, "maxItems": 3}}}
UNMET = GOOD | {"not": {"required": ["ok"]}}
TEMPLATE = """---
description: d
model: small
variables: {q: {type: string}}
question: q
output_schema: %s
---
{%% message role="user" %%}{{ q }}{%% endmessage %%}
"""


def written(folder: Path, schema: Any) -> Path:
    file = folder / "schema.json"
    file.write_text(json.dumps(schema))
    return file


def test_a_schema_that_the_engine_enforces_has_no_notes(tollgate: Tollgate, tmp_path: Path) -> None:
    assert tollgate("schemas", "lint", written(tmp_path, GOOD), "--json").json == []


def test_what_the_engine_refuses_fails(tollgate: Tollgate, tmp_path: Path) -> None:
    ran = tollgate("schemas", "lint", written(tmp_path, UNIQUE), "--json")
    assert ran.code == 1
    (row,) = json.loads(ran.out)
    assert (row["severity"], row["pointer"], row["keyword"]) == ("error", "/properties/tags", "uniqueItems")


def test_what_it_does_not_enforce_is_told_and_does_not_fail(tollgate: Tollgate, tmp_path: Path) -> None:
    ran = tollgate("schemas", "lint", written(tmp_path, UNMET))
    assert ran.code == 0
    assert "warning" in ran.out


def test_what_the_gateway_refuses_fails(tollgate: Tollgate, tmp_path: Path) -> None:
    ran = tollgate("schemas", "lint", written(tmp_path, {"$ref": "https://example.com/schema"}))
    assert ran.code == 1
    assert "https://example.com/schema" in ran.out


def test_a_ceiling_that_no_answer_fits_below_fails(tollgate: Tollgate, tmp_path: Path) -> None:
    wide = written(tmp_path, {"type": "string", "minLength": 1280, "maxLength": 1300})
    assert tollgate("schemas", "lint", wide, "--max-tokens", 11).code == 0
    ran = tollgate("schemas", "lint", wide, "--max-tokens", 10)
    assert ran.code == 1
    assert "at least 11 tokens" in ran.out


def test_standard_input_is_read(tollgate: Tollgate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(GOOD).encode())))
    assert tollgate("schemas", "lint", "-", "--json").json == []


@pytest.mark.parametrize("text", ["{", "[]"])
def test_what_is_no_schema_is_one_line(tollgate: Tollgate, tmp_path: Path, text: str) -> None:
    (tmp_path / "schema.json").write_text(text)
    ran = tollgate("schemas", "lint", tmp_path / "schema.json")
    assert ran.code == 1
    assert "schema.json is no JSON" in ran.err


def test_a_file_or_the_prompts_must_be_named(tollgate: Tollgate, tmp_path: Path) -> None:
    assert tollgate("schemas", "lint").code == 2
    assert tollgate("schemas", "lint", written(tmp_path, GOOD), "--prompts").code == 2


def test_the_shipped_prompts_have_neither_errors_nor_warnings(tollgate: Tollgate, config: Path) -> None:
    rows = tollgate("schemas", "lint", "--prompts", "--config", config, "--json").json
    assert {row["schema"] for row in rows} >= {"classify-ticket", "review-diff", "extract-fields", "sql-from-question"}
    assert {row["severity"] for row in rows} == {"advice"}


def test_check_warns_of_them_beside_its_faults(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    templates = tmp_path / "prompts" / "templates"
    templates.mkdir(parents=True)
    (templates / "unmet.md.j2").write_text(TEMPLATE % json.dumps(UNMET))
    config.write_text(config.read_text().replace(str(ROOT / "prompts"), "prompts"))
    ran = tollgate("check", "--offline", "--config", config)
    assert "warning: prompt 'unmet': output_schema at the top: the engine does not enforce not" in ran.err
    assert "output_schema" not in ran.out  # where the faults are
