"""The JSON-Schema-Test-Suite: every required test of draft 2020-12 and draft 7 agrees, but what is refused by name."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from gateway.errors import InvalidValue
from gateway.schemas import Schemas
from tests.conformance.json_schema_suite import DIALECTS, Case, cases

DOCS = Path(__file__).parents[2] / "docs" / "structured-output.md"


class Ran:
    """What became of some cases: how many tests were judged, which disagree, and why schemas were refused."""

    def __init__(self, ran: Iterable[Case], *, formats: bool = False) -> None:
        self.judged, self.disagree = 0, list[str]()
        self.refused: dict[str, str] = {}
        self._formats = formats
        asyncio.run(self._run(Schemas(deadline_s=60.0), ran))

    async def _run(self, schemas: Schemas, ran: Iterable[Case]) -> None:
        for case in ran:
            for value, valid in case.tests:
                try:
                    found = await schemas.judged(case.schema, json.dumps(value))
                except InvalidValue as error:
                    self.refused[case.name] = error.message
                    break
                self.judged += 1
                holds = not found.faults and not (self._formats and found.flags)
                if holds is not valid:
                    self.disagree.append(f"{case.name}: {value}")


@pytest.mark.parametrize(("dialect", "tests", "refused"), [("draft2020-12", 1208, 22), ("draft7", 890, 11)])
def test_every_required_test_agrees_except_what_is_refused_by_name(dialect: str, tests: int, refused: int) -> None:
    ran = Ran(cases(dialect))
    assert ran.disagree == []
    assert ran.judged == tests
    assert len(ran.refused) == refused
    documented = DOCS.read_text()
    for name, message in ran.refused.items():
        assert "it refers to 'http://localhost:1234/" in message, name
        assert f"`{name}`" in documented


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_optional_tests_agree_too(dialect: str) -> None:
    """But for remote references and numbers of more than 64 bits in a schema."""
    ran = Ran(cases(dialect, "optional/"))
    assert ran.disagree == []
    assert ran.judged > 100
    reasons = ("it refers to 'http://localhost:1234/", "64-bit")
    assert all(any(reason in message for reason in reasons) for message in ran.refused.values())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_formats_are_flagged_where_the_suite_asserts_them(dialect: str) -> None:
    ran = Ran(cases(dialect, "optional/format/"), formats=True)
    assert ran.disagree == []
    assert ran.refused == {}
    assert ran.judged > 300
