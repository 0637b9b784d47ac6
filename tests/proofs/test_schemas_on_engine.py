"""Real-world schemas through the gateway to a real vLLM: each answer is valid or a clear error, none hangs; the lint
foretold every schema that the engine refuses or does not hold answers to, and what it gets instead is refused by none.

What a small model writes shows little of what a grammar lets through, so that the engine's own xgrammar also writes:
random walks of each grammar (`walks`). The small version is tests/gateway/api/test_schemas_on_engine.py.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gateway.linting import relaxed
from tests.conftest import ENGINE_PYTHON
from tests.gateway.linting.facts import FACTS, Fact
from tests.harness.gateway import Gateway, serving
from tests.harness.real_schemas import Case, corpus, proven

WALKS = 24  # of each grammar; one walk is some milliseconds
SECONDS = 1200


@pytest.fixture(scope="module")
def gateway(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("schemas")
    with serving(folder, engine, f"sqlite:///{folder}/state.db") as started:
        yield started


def walked(asked: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the engine's grammar lets through; see `walks`."""
    lines = "".join(json.dumps(line) + "\n" for line in asked)
    done = subprocess.run(
        [ENGINE_PYTHON, Path(__file__).with_name("walks.py")],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.prove
@pytest.mark.timeout(SECONDS)
def test_five_hundred_are_answered_or_refused_clearly(gateway: Gateway) -> None:
    counted = proven(gateway.url, gateway.key("schemas"), corpus())
    assert counted.total() == 500
    print(sorted(counted.items()))


@pytest.mark.prove
def test_the_lint_foretold_whatever_the_grammar_lets_through() -> None:
    cases = corpus()
    seen = walked([{"schema": case.schema, "texts": [], "walks": WALKS} for case in cases])
    assert len(seen) == 500
    for case, found in zip(cases, seen, strict=True):
        if found["refused"]:
            assert "error" in case.foretold, f"{case.name}: {found['refused']}"
            continue
        assert "error" not in case.foretold, f"{case.name} is not refused"
        failed = [answer for answer in found["answers"] if not _valid(case, answer)]
        assert case.foretold or not failed, f"{case.name}: {failed[0]}"


@pytest.mark.prove
def test_the_engine_takes_every_relaxed_schema_and_none_is_narrower() -> None:
    cases = corpus()
    given = [relaxed(case.schema).schema for case in cases]
    seen = walked([{"schema": schema, "texts": [], "walks": WALKS // 3} for schema in given])
    valid = total = 0
    for case, schema, found in zip(cases, given, seen, strict=True):
        assert not found["refused"], f"{case.name}: {found['refused']}"
        if _validator(case.schema) is None:
            continue
        held = [answer for answer in found["answers"] if _valid(case, answer)]
        assert all(_valid(Case(case.name, dict(schema)), answer) for answer in held), case.name
        valid, total = valid + len(held), total + len(found["answers"])
    print(f"{valid} of {total} random answers satisfy the schema that was asked for")
    assert valid > total * 0.9


def _validator(schema: dict[str, Any]) -> jsonschema_rs.Validator | None:
    """None where the gateway refuses it before the engine sees it."""
    try:
        return jsonschema_rs.validator_for(schema, offline=True, validate_formats=False)
    except ValueError:
        return None


def _valid(case: Case, answer: str) -> bool:
    validator, value = _validator(case.schema), json.loads(answer)
    if validator is None:
        return True
    # 1e999 is a number of JSON, and no schema says that it is too large; the gateway's parser has none so large.
    return "Infinity" in json.dumps(value) or validator.is_valid(value)


@pytest.mark.prove
def test_the_engine_makes_of_each_keyword_what_the_facts_say() -> None:
    texts = [[text for value in (*fact.valid, *fact.invalid) for text in _written(value)] for fact in FACTS]
    lines = [{"schema": fact.schema, "texts": text, "walks": 0} for fact, text in zip(FACTS, texts, strict=True)]
    for fact, found in zip(FACTS, walked(lines), strict=True):
        assert _fate(fact, found) == fact.fate, fact.schema


def _fate(fact: Fact, found: dict[str, Any]) -> str:
    if found["refused"]:
        return "refused"
    accepts = [any(two) for two in zip(found["accepts"][::2], found["accepts"][1::2], strict=True)]
    valid, invalid = accepts[: len(fact.valid)], accepts[len(fact.valid) :]
    if any(invalid):
        return "ignored"
    return "enforced" if all(valid) else "narrowed"


def _written(value: Any) -> tuple[str, str]:
    """Without blanks, and as xgrammar 0.2.8 writes where no schema says what: with one after each comma."""
    tight, loose = (json.dumps(value, ensure_ascii=False, separators=(comma, ":")) for comma in (",", ", "))
    return tight, loose
