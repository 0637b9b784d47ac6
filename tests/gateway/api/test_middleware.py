"""What holds for every request: its id, one shape of error, one honest line of log."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from fastapi import FastAPI, Request

from gateway.api import wrap
from gateway.errors import BodyTooSlow, BudgetExceeded
from gateway.settings import Settings
from gateway.state import StateUnavailable
from tests.fakes.background import running
from tests.gateway.api.logged import lines, listened, records
from tests.gateway.api.server import served

CANARY = "canary-51c0"


class Panic(BaseException):
    """What a Rust library's panic is in Python: no Exception."""


@contextmanager
def app() -> Iterator[str]:
    inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @inner.get("/ids")
    async def ids(request: Request) -> dict[str, str | None]:
        return {"ours": request.state.request_id, "theirs": request.state.client_request_id}

    @inner.get("/fails/{how}")
    async def fails(how: str) -> None:
        raise {
            "bug": ValueError(CANARY),
            "panic": Panic(CANARY),
            "budget": BudgetExceeded("Used up.", retry_after=7200.4),
            "state": StateUnavailable(CANARY),
            "slow": BodyTooSlow("Too slow."),
        }[how]

    with running(served(wrap(inner, Settings()))) as url:
        yield url


def test_the_id_is_ours_and_unique_and_theirs_is_kept_if_it_is_harmless() -> None:
    with app() as url:
        answers = [
            httpx2.get(f"{url}/ids", headers={"x-request-id": theirs}) for theirs in ("a-B.9_", "a b", "x" * 129)
        ]
    assert [answer.json()["theirs"] for answer in answers] == ["a-B.9_", None, None]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert ids == {answer.json()["ours"] for answer in answers}
    assert len(ids) == 3


@pytest.mark.parametrize("how", ["bug", "panic"])
def test_a_bug_is_a_plain_500_with_the_request_id_and_no_details(how: str, caplog: pytest.LogCaptureFixture) -> None:
    with app() as url:
        answer = httpx2.get(f"{url}/fails/{how}")
    request_id = answer.headers["x-request-id"]
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("api_error", "internal_error")
    assert request_id in error["message"]
    report = next(r.getMessage() for r in caplog.records if r.name == "tollgate.api")
    assert request_id in report
    assert "in fails" in report  # where it happened
    assert CANARY not in answer.text + caplog.text


def test_a_refusal_steers_the_clients_retries() -> None:
    with app() as url:
        answer = httpx2.get(f"{url}/fails/budget")
    assert answer.status_code == 429
    assert answer.headers["x-should-retry"] == "false"
    assert (answer.headers["retry-after"], answer.headers["retry-after-ms"]) == ("7201", "7200400")
    assert answer.json() == {
        "error": {"message": "Used up.", "type": "insufficient_quota", "param": None, "code": "budget_exceeded"}
    }


def test_a_store_that_is_away_is_no_bug() -> None:
    with app() as url:
        answer = httpx2.get(f"{url}/fails/state")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "state_unavailable")
    assert answer.headers["x-should-retry"] == "true"


def test_after_a_body_that_did_not_come_the_connection_is_closed() -> None:
    with app() as url:
        slow, other = httpx2.get(f"{url}/fails/slow"), httpx2.get(f"{url}/fails/budget")
    assert (slow.status_code, slow.headers["connection"]) == (408, "close")
    assert "connection" not in other.headers


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/ids/", 404, "not_found"),  # no redirect to what the Host header says
        ("GET", "//ids", 404, "not_found"),
        ("GET", "/docs", 404, "not_found"),
        ("GET", "/openapi.json", 404, "not_found"),
    ],
)
def test_what_is_not_there_answers_in_the_one_shape(method: str, path: str, status: int, code: str) -> None:
    with app() as url:
        answer = httpx2.request(method, url + path, headers={"host": "evil.example"})
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert "detail" not in answer.json()
    assert "evil.example" not in answer.text + str(answer.headers)


def test_each_request_is_one_line_of_json_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    listened(caplog)
    path = "/ids%0d%0a%1b[31mforged" + "x" * 1000
    with app() as url:
        httpx2.get(f"{url}/ids?key={CANARY}", headers={"authorization": CANARY, "x-request-id": "theirs"})
        httpx2.get(url + path)
    assert not [record for record in records(caplog) if "\r" in "".join(record) or "\x1b" in "".join(record)]
    fine, missing = lines(caplog)
    assert (fine["method"], fine["path"], fine["status"], fine["client_request_id"]) == ("GET", "/ids", 200, "theirs")
    assert fine["request_id"].startswith("req_")
    assert fine["ms"] >= 0
    assert (missing["status"], missing["error"], len(missing["path"])) == (404, "not_found", 256)
    assert CANARY not in caplog.text
