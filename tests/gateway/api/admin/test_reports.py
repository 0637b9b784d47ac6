"""What was spent, what was changed, how one request went."""

import csv
from typing import Any

import pytest

from tests.gateway.api.conftest import Gateway

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}


def test_one_request_is_shown_with_its_decisions_and_without_its_text(gateway: Gateway) -> None:
    answer = gateway.chat({**BODY, "messages": [{"role": "user", "content": "canary-91"}]})
    row = gateway.admin("GET", f"/requests/{answer.headers['x-request-id']}")
    assert (row.json()["status"], row.json()["cache"], row.json()["output_tokens"]) == (200, "miss", 2)
    assert {"auth", "read", "hold", "route"} <= {stage["stage"] for stage in row.json()["detail"]["stages"]}
    assert "canary-91" not in row.text


def test_everyones_usage_or_one_tenants(gateway: Gateway) -> None:
    made = gateway.admin("POST", "/keys", json={"tenant": (tenant := gateway.tenant())}).json()
    gateway.chat(BODY, made["key"])
    everyone = gateway.admin("GET", "/usage", params={"by": "tenant"}).json()
    assert (everyone["zone"], everyone["tenant"]) == ("UTC", None)
    assert (tenant, 1) in [(row["tenant"], row["requests"]) for row in everyone["data"]]
    only = gateway.admin("GET", "/usage", params={"by": "tenant", "tenant": tenant}).json()["data"]
    assert [row["tenant"] for row in only] == [tenant]


def test_one_tenants_days_are_its_own_unless_a_zone_is_named(gateway: Gateway) -> None:
    gateway.admin("POST", "/tenants", json={"name": "kiritimati", "zone": "Pacific/Kiritimati"})
    assert gateway.admin("GET", "/usage", params={"tenant": "kiritimati"}).json()["zone"] == "Pacific/Kiritimati"
    asked = {"tenant": "kiritimati", "zone": "America/New_York"}
    assert gateway.admin("GET", "/usage", params=asked).json()["zone"] == "America/New_York"


def test_usage_as_csv(gateway: Gateway) -> None:
    made = gateway.admin("POST", "/keys", json={"tenant": (tenant := gateway.tenant())}).json()
    gateway.chat(BODY, made["key"])
    answer = gateway.admin("GET", "/usage", params={"by": "tenant", "tenant": tenant, "format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(answer.text.splitlines())
    assert (row["tenant"], row["requests"], row["cost_usd"]) == (tenant, "1", "0.000017")


def test_how_good_the_answers_were(gateway: Gateway) -> None:
    made = gateway.admin("POST", "/keys", json={"tenant": (tenant := gateway.tenant())}).json()
    gateway.chat(BODY, made["key"])
    gateway.chat(BODY, made["key"])  # from the cache: what was judged once is not judged again
    answer = gateway.admin("GET", "/quality", params={"tenant": tenant, "by": "model,version"}).json()
    assert (answer["object"], answer["tenant"], answer["by"]) == ("quality", tenant, ["model", "prompt_version"])
    (row,) = answer["data"]
    assert (row["model"], row["answers"], row["truncated"]["count"]) == ("small", 1, 0)
    assert (row["output_tokens"]["mean"], row["against"]) == (2.0, None)


def test_every_change_is_in_the_audit_and_a_read_is_not(gateway: Gateway) -> None:
    tenant = gateway.tenant("tokens/day=5")
    key = gateway.admin("POST", "/keys", json={"tenant": tenant, "label": "search"}).json()
    gateway.admin("PATCH", f"/tenants/{tenant}", json={"limits": ["tokens/day=9"]})
    gateway.admin("GET", f"/tenants/{tenant}")
    gateway.admin("DELETE", f"/keys/{key['id']}")
    of_tenant = gateway.admin("GET", "/audit", params={"subject": tenant}).json()["data"]
    assert [(change["by"], change["detail"]["limits"]) for change in of_tenant] == [
        ("admin", ["tokens/day=9"]),
        ("admin", ["tokens/day=5"]),
    ]
    of_key = gateway.admin("GET", "/audit", params={"subject": key["id"]}).json()["data"]
    assert [change["by"] for change in of_key] == ["admin", "admin"]
    assert of_key[1]["detail"]["label"] == "search"
    assert of_key[0]["at"] >= of_key[1]["at"]
    assert gateway.admin("GET", "/audit", params={"limit": 1}).json()["data"] == of_key[:1]


@pytest.mark.parametrize(
    ("path", "status", "param"),
    [
        ("/requests/nothing", 404, "request_id"),
        ("/usage?by=secret", 400, "by"),
        ("/usage?tenent=acme", 400, "tenent"),
        ("/usage?tenant=nobody", 404, "tenant"),
        ("/usage?zone=Mars", 400, "zone"),
        ("/usage?format=xml", 400, "format"),
        ("/quality?by=secret", 400, "by"),
        ("/quality?since=2026-02-02&until=2026-01-01", 400, "since"),
        ("/quality?tenant=nobody", 404, "tenant"),
        ("/quality?format=csv", 400, "format"),
        ("/audit?limit=0", 400, "limit"),
        ("/audit?limit=1001", 400, "limit"),
        ("/audit?limit=all", 400, "limit"),
        ("/audit?who=me", 400, "who"),
    ],
)
def test_what_is_wrong_is_named(gateway: Gateway, path: str, status: int, param: str) -> None:
    answer: Any = gateway.admin("GET", path)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
