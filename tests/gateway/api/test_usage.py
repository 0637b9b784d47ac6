"""The caller's own usage: its tenant's sums, nobody else's."""

import csv
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from tests.gateway.api.conftest import Gateway

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}


def usage(gateway: Gateway, key: str, **query: str) -> httpx2.Response:
    return gateway.http.get("/v1/usage", params=query, headers={"x-api-key": key})


def test_what_was_used_by_day_and_where_the_limits_stand(gateway: Gateway) -> None:
    key = gateway.key("tokens/day=1000", "usd/month=0.5", "tokens/request=100")
    gateway.chat(BODY, key)
    answer = usage(gateway, key).json()
    today = str(datetime.now(UTC).date())
    assert (answer["object"], answer["until"], answer["by"]) == ("usage", today, ["day"])
    sums: dict[str, Any] = {"requests": 1, "input_tokens": 13, "output_tokens": 2, "cached_tokens": 0}
    assert answer["zone"] == "UTC"
    assert answer["data"] == [{"day": today, **sums, "cost_usd": 1.7e-05}]
    tokens, dollars, request = answer["balances"]
    assert (tokens["limit"], tokens["used"], tokens["held"], tokens["remaining"]) == ("tokens/day=1000", 15, 0, 985)
    assert datetime.fromisoformat(tokens["resets"]) > datetime.now(UTC)
    assert (dollars["limit"], dollars["used"], dollars["remaining"]) == ("usd/month=0.5", 1.7e-05, 0.499983)
    assert request["resets"] is None


def test_groups_are_the_callers_choice(gateway: Gateway) -> None:
    key = gateway.key()
    gateway.chat(BODY, key)
    (row,) = usage(gateway, key, by="model, prompt").json()["data"]
    assert (row["model"], row["prompt"], row["requests"]) == ("small", None, 1)


def test_days_and_balances_are_the_tenants_own(gateway: Gateway) -> None:
    new = {"name": "tenant-in-kiritimati", "zone": "Pacific/Kiritimati", "limits": ["requests/day=5"]}
    tenant = gateway.admin("POST", "/tenants", json=new).json()["name"]
    key = gateway.admin("POST", "/keys", json={"tenant": tenant}).json()["key"]
    gateway.chat(BODY, key)
    here = ZoneInfo("Pacific/Kiritimati")
    answer = usage(gateway, key).json()
    assert (answer["zone"], answer["until"]) == (here.key, str(datetime.now(here).date()))
    assert [row["day"] for row in answer["data"]] == [answer["until"]]
    assert answer["balances"][0]["resets"].endswith("T00:00:00+14:00")
    elsewhere = usage(gateway, key, zone="Pacific/Niue").json()  # 25 hours behind, so always another day
    assert elsewhere["data"][0]["day"] == str(datetime.now(ZoneInfo("Pacific/Niue")).date()) != answer["until"]


def test_usage_by_tag(gateway: Gateway) -> None:
    key = gateway.key()
    for feature in ("search", "search", "chat"):
        gateway.chat({**BODY, "gateway": {"tags": {"feature": feature}}}, key)
    rows = usage(gateway, key, by="tag:feature").json()["data"]
    assert [(row["tag:feature"], row["requests"]) for row in rows] == [("chat", 1), ("search", 2)]


@pytest.mark.parametrize(
    ("query", "accept", "is_csv"),
    [
        ({}, "text/csv", True),
        ({}, "Text/CSV; q=0.9, */*; q=0.1", True),
        ({"format": "csv"}, "application/json", True),
        ({"format": "json"}, "text/csv", False),
        ({}, "*/*", False),
    ],
)
def test_csv_is_asked_for_by_name(gateway: Gateway, query: dict[str, str], accept: str, is_csv: bool) -> None:
    key = gateway.key()
    gateway.chat({**BODY, "gateway": {"tags": {"feature": "@SUM(1)"}}}, key)
    query |= {"by": "tag:feature"}
    answer = gateway.http.get("/v1/usage", params=query, headers={"x-api-key": key, "accept": accept})
    if not is_csv:
        assert answer.json()["data"][0]["tag:feature"] == "@SUM(1)"
        return
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(answer.text.splitlines())
    assert (row["tag:feature"], row["requests"], row["cost_usd"]) == ("'@SUM(1)", "1", "0.000017")


def test_another_tenants_usage_is_not_seen(gateway: Gateway) -> None:
    gateway.chat(BODY)
    assert usage(gateway, gateway.key(), by="tenant").json()["data"] == []


def test_days_before_the_first_request_are_empty(gateway: Gateway) -> None:
    key = gateway.key()
    gateway.chat(BODY, key)
    assert usage(gateway, key, since="2020-01-01", until="2020-12-31").json()["data"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"since": "yesterday"}, "since"),
        ({"since": "1969-12-31"}, "since"),
        ({"until": "2026-02-30"}, "until"),
        ({"until": "0001-01-01"}, "until"),
        ({"by": "shoe_size"}, "by"),
        ({"by": ""}, "by"),
        ({"since": "2026-02-02", "until": "2026-01-01"}, "since"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"format": "xml"}, "format"),
        ({"tenant": "acme"}, "tenant"),
        ({"by": "day;drop table journal"}, "by"),
    ],
)
def test_a_wrong_query_is_named(gateway: Gateway, query: dict[str, str], param: str) -> None:
    answer = usage(gateway, gateway.key(), **query)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
