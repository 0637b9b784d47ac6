"""Tenants over HTTP: limits that can be raised, a zone that stays, balances in that zone."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.gateway.api.conftest import Gateway

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}


def test_a_tenant_keeps_its_limits_and_its_name_is_taken_once(gateway: Gateway) -> None:
    new = {"name": "acme", "limits": ["tokens/day=1000", "usd/month=12.50"]}
    assert gateway.admin("POST", "/tenants", json=new).json()["limits"] == ["tokens/day=1000", "usd/month=12.5"]
    taken = gateway.admin("POST", "/tenants", json={"name": "acme"})
    assert (taken.status_code, taken.json()["error"]["param"]) == (400, "name")
    listed = {t["name"]: (t["limits"], t["zone"]) for t in gateway.admin("GET", "/tenants").json()["data"]}
    assert listed["acme"] == (["tokens/day=1000", "usd/month=12.5"], "UTC")


def test_a_raised_limit_binds_at_once_and_what_was_spent_stays_counted(gateway: Gateway) -> None:
    name = gateway.tenant("requests/day=1")
    key = gateway.admin("POST", "/keys", json={"tenant": name}).json()["key"]
    uncached = {**BODY, "gateway": {"cache": "skip"}}
    assert [gateway.chat(uncached, key).status_code for _ in range(2)] == [200, 429]
    raised = gateway.admin("PATCH", f"/tenants/{name}", json={"limits": ["requests/day=2"]})
    assert (raised.status_code, raised.json()["limits"]) == (200, ["requests/day=2"])
    assert [gateway.chat(uncached, key).status_code for _ in range(2)] == [200, 429]
    (balance,) = gateway.admin("GET", f"/tenants/{name}").json()["balances"]
    assert (balance["limit"], balance["used"], balance["remaining"]) == ("requests/day=2", 2, 0)
    assert gateway.admin("PATCH", f"/tenants/{name}", json={"limits": []}).json()["limits"] == []
    assert gateway.chat(uncached, key).status_code == 200


def test_balances_are_told_in_the_tenants_zone_and_money_in_dollars(gateway: Gateway) -> None:
    new = {"name": "teams/berlin", "zone": "Europe/Berlin", "limits": ["tokens/day=9", "usd/month=0.5"]}
    assert gateway.admin("POST", "/tenants", json=new).json()["zone"] == "Europe/Berlin"
    shown = gateway.admin("GET", "/tenants/teams/berlin").json()
    assert (shown["name"], shown["zone"]) == ("teams/berlin", "Europe/Berlin")
    tokens, dollars = shown["balances"]
    assert (dollars["used"], dollars["remaining"]) == (0.0, 0.5)
    resets = datetime.fromisoformat(tokens["resets"])
    assert resets.utcoffset() == resets.astimezone(ZoneInfo("Europe/Berlin")).utcoffset()
    assert (resets.hour, resets.minute) == (0, 0)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("POST", "/tenants", {}, 400, "name"),
        ("POST", "/tenants", {"name": "a b"}, 400, "name"),
        ("POST", "/tenants", {"name": "x", "limits": ["tokens/day"]}, 400, "limits"),
        ("POST", "/tenants", {"name": "x", "limits": "tokens/day=1"}, 400, "limits"),
        ("POST", "/tenants", {"name": "x", "limits": ["tokens/day=1"] * 33}, 400, "limits"),
        ("POST", "/tenants", {"name": "x", "color": "red"}, 400, "color"),
        ("POST", "/tenants", {"name": "x", "zone": "Mars/Olympus"}, 400, "zone"),
        ("POST", "/tenants", {"name": "x", "zone": "../etc/passwd"}, 400, "zone"),
        ("GET", "/tenants/nobody", None, 404, "tenant"),
        ("PATCH", "/tenants/nobody", {"limits": []}, 404, "tenant"),
        ("PATCH", "/tenants/nobody", {}, 400, "limits"),
        ("PATCH", "/tenants/nobody", {"limits": [], "zone": "UTC"}, 400, "zone"),
    ],
)
def test_what_is_wrong_is_named(gateway: Gateway, method: str, path: str, body: Any, status: int, param: str) -> None:
    answer = gateway.admin(method, path, json=body) if body is not None else gateway.admin(method, path)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
