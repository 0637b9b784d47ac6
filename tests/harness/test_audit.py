"""The auditor finds each kind of breach, and nothing in books that are right. A real store is audited in test_crash."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.state import Limit
from tests.fakes.backend import PROMPT_TOKENS, Seen
from tests.harness.audit import Evidence, faults
from tests.harness.books import Account, Books
from tests.harness.client import Reply

ROW: dict[str, Any] = {
    "request_id": "r1",
    "tenant": "acme",
    "key": "k1",
    "model": "small",
    "status": 200,
    "error": None,
    "input_tokens": PROMPT_TOKENS,
    "output_tokens": 2,
    "cost_nano": 17,
    "detail": '{"stages": [{"stage": "hold"}]}',
}
DAY = Account("tenant", "acme", "tokens", "day", 0, 86_400, 15, 0)
BOOKS = Books([ROW], frozenset(), [DAY], {("tenant", "acme"): (Limit("tokens", "day", 20),)})


def seen(tokens: int = 2, request_id: str = "r1", lied: bool = False) -> Seen:
    return Seen("POST", "/", {"x-request-id": request_id}, None, 1, said={0: tokens}, lied=lied)


def reply(request_id: str = "r1", status: int = 200, **fields: Any) -> Reply:
    return Reply(status, {"x-request-id": request_id}, whole=True, body=bytearray(b"{}"), **fields)


def streamed(request_id: str, texts: int) -> Reply:
    headers = {"x-request-id": request_id, "content-type": "text/event-stream"}
    return Reply(200, headers, events=[b'{"choices": [{"delta": {"content": "a"}}]}'] * texts)


def refused(code: str) -> Reply:
    return Reply(503, {"x-request-id": "r9"}, bytearray(b'{"error": {"code": "%b"}}' % code.encode()), whole=True)


EVIDENCE = Evidence([seen()], [reply()])


def row(**changes: Any) -> Books:
    return replace(BOOKS, rows=[ROW | changes])


def minutes(*amounts: tuple[int, int]) -> Books:
    """Tokens counted in these seconds, under a limit of 10 a minute."""
    accounts = [Account("key", "k1", "tokens", "minute", at, at + 61, used, 0) for at, used in amounts]
    return replace(BOOKS, accounts=accounts, limits={**BOOKS.limits, ("key", "k1"): (Limit("tokens", "minute", 10),)})


def test_right_books_have_no_faults() -> None:
    assert list(faults(BOOKS, EVIDENCE)) == []
    assert list(faults(replace(BOOKS, shared=[DAY._replace(end=0)]), EVIDENCE)) == []
    assert list(faults(minutes((0, 6), (30, 4), (62, 6)), EVIDENCE)) == []


@pytest.mark.parametrize(
    ("kind", "books"),
    [
        ("I1", replace(BOOKS, limits={("tenant", "acme"): (Limit("tokens", "day", 14),)})),
        ("I1", minutes((0, 6), (30, 4), (60, 1))),
        ("I2 not settled", replace(BOOKS, open=frozenset({"r1"}))),
        ("I2 not settled", replace(BOOKS, accounts=[DAY._replace(held=1)])),
        ("I2 counters", replace(BOOKS, accounts=[DAY._replace(used=14)])),
        ("I2 counters", replace(BOOKS, accounts=[DAY._replace(unit="requests", used=2)])),
        ("I2 Redis", replace(BOOKS, shared=[DAY._replace(used=14, end=0)])),
        ("I2 Redis", replace(BOOKS, shared=[DAY._replace(held=1, end=0)])),
        ("I3", replace(BOOKS, rows=[])),
        ("I3", replace(BOOKS, rows=[ROW, ROW])),
        ("I4", row(cost_nano=0)),
        ("I4", row(cost_nano=None)),
        ("I4", row(model="free")),
        ("I5", row(output_tokens=1)),
        ("I5", row(output_tokens=3)),
        ("I5", row(input_tokens=0)),
        ("I5", row(status=499, output_tokens=3)),
        ("I6", row(tenant="nobody")),
        ("I6", row(tenant="")),
    ],
)
def test_a_breach_is_found(kind: str, books: Books) -> None:
    assert any(fault.startswith(kind) for fault in faults(books, EVIDENCE))


@pytest.mark.parametrize(
    ("books", "evidence"),
    [
        (replace(BOOKS, open=frozenset()), Evidence([seen(), seen(request_id="r2")])),
        (BOOKS, Evidence([], [reply("r2")])),
        (BOOKS, Evidence([], [reply("r2", 429)])),
        (row(status=499, output_tokens=0), Evidence([seen()], [streamed("r1", 2)])),
        (row(status=0, output_tokens=1), Evidence([seen(20)], checkpoint=18)),
    ],
)
def test_a_breach_against_the_evidence_is_found(books: Books, evidence: Evidence) -> None:
    assert list(faults(books, evidence))


@pytest.mark.parametrize(
    ("books", "evidence"),
    [
        (BOOKS, Evidence([seen()], [refused("overloaded"), refused("invalid_api_key"), Reply(broken="OSError")])),
        (row(status=499, output_tokens=1), EVIDENCE),
        (row(status=0, output_tokens=1), Evidence([seen(20)], checkpoint=19)),
        (BOOKS, Evidence([seen(7, lied=True)])),
    ],
)
def test_what_is_allowed_is_no_breach(books: Books, evidence: Evidence) -> None:
    assert list(faults(replace(books, accounts=[]), evidence)) == []


def test_many_faults_of_a_kind_are_counted() -> None:
    rows = [ROW | {"request_id": f"r{number}", "tenant": ""} for number in range(9)]
    assert any("and 4 more" in fault for fault in faults(replace(BOOKS, rows=rows), Evidence()))
