"""Administration over HTTP: tenants, keys that live from the first to the last moment, the journal, the cache."""

from typing import Any

import pytest

from tests.gateway.api.conftest import Gateway

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}


def test_a_tenant_keeps_its_limits_and_its_name_is_taken_once(gateway: Gateway) -> None:
    new = {"name": "acme", "limits": ["tokens/day=1000", "usd/month=12.50"]}
    assert gateway.admin("POST", "/tenants", json=new).json()["limits"] == ["tokens/day=1000", "usd/month=12.5"]
    taken = gateway.admin("POST", "/tenants", json={"name": "acme"})
    assert (taken.status_code, taken.json()["error"]["param"]) == (400, "name")
    listed = {t["name"]: t["limits"] for t in gateway.admin("GET", "/tenants").json()["data"]}
    assert listed["acme"] == ["tokens/day=1000", "usd/month=12.5"]


def test_a_key_works_until_it_is_revoked_and_its_secret_is_shown_once(gateway: Gateway) -> None:
    tenant = gateway.tenant()
    made = gateway.admin("POST", "/keys", json={"tenant": tenant, "limits": ["requests/day=5"]}).json()
    full, key_id = made["key"], made["id"]
    assert gateway.chat(BODY, full).status_code == 200
    listed = gateway.admin("GET", "/keys", params={"tenant": tenant})
    assert [(k["id"], k["limits"], k["revoked"]) for k in listed.json()["data"]] == [(key_id, ["requests/day=5"], None)]
    assert full.rsplit("_", 1)[1] not in listed.text
    assert gateway.admin("DELETE", f"/keys/{key_id}").json() == {"id": key_id, "revoked": True}
    assert gateway.chat(BODY, full).status_code == 401
    assert gateway.admin("DELETE", f"/keys/{key_id}").status_code == 200


def test_a_key_that_has_expired_is_refused(gateway: Gateway) -> None:
    made = gateway.admin("POST", "/keys", json={"tenant": gateway.tenant(), "expires": 1.5}).json()
    assert gateway.chat(BODY, made["key"]).status_code == 401


def test_one_request_is_shown_with_its_decisions_and_without_its_text(gateway: Gateway) -> None:
    answer = gateway.chat({**BODY, "messages": [{"role": "user", "content": "canary-91"}]})
    row = gateway.admin("GET", f"/requests/{answer.headers['x-request-id']}")
    assert (row.json()["status"], row.json()["cache"], row.json()["output_tokens"]) == (200, "miss", 2)
    assert {"auth", "read", "hold", "route"} <= {stage["stage"] for stage in row.json()["detail"]["stages"]}
    assert "canary-91" not in row.text


def test_everyones_usage_or_one_tenants(gateway: Gateway) -> None:
    made = gateway.admin("POST", "/keys", json={"tenant": (tenant := gateway.tenant())}).json()
    gateway.chat(BODY, made["key"])
    rows = gateway.admin("GET", "/usage", params={"by": "tenant"}).json()["data"]
    assert (tenant, 1) in [(row["tenant"], row["requests"]) for row in rows]
    only = gateway.admin("GET", "/usage", params={"by": "tenant", "tenant": tenant}).json()["data"]
    assert [row["tenant"] for row in only] == [tenant]


def test_a_purge_by_tag_removes_that_tenants_answers(gateway: Gateway) -> None:
    made = gateway.admin("POST", "/keys", json={"tenant": (tenant := gateway.tenant())}).json()
    other = gateway.key()
    for key in (made["key"], other):
        gateway.chat(BODY, key)
    assert gateway.admin("POST", "/cache/purge", json={"tag": f"tenant:{tenant}"}).json() == {"purged": 1}
    assert gateway.chat(BODY, made["key"]).headers["x-cache"] == "miss"
    assert gateway.chat(BODY, other).headers["x-cache"] == "exact"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("POST", "/tenants", {}, 400, "name"),
        ("POST", "/tenants", {"name": "a b"}, 400, "name"),
        ("POST", "/tenants", {"name": "x", "limits": ["tokens/day"]}, 400, "limits"),
        ("POST", "/tenants", {"name": "x", "limits": "tokens/day=1"}, 400, "limits"),
        ("POST", "/tenants", {"name": "x", "color": "red"}, 400, "color"),
        ("POST", "/keys", {"tenant": "nobody"}, 404, "tenant"),
        ("POST", "/keys", {"tenant": "x", "expires": "soon"}, 400, "expires"),
        ("GET", "/keys", None, 404, "tenant"),
        ("GET", "/keys?tenant=nobody", None, 404, "tenant"),
        ("DELETE", "/keys/nothing", None, 404, "key_id"),
        ("GET", "/requests/nothing", None, 404, "request_id"),
        ("GET", "/usage?by=secret", None, 400, "by"),
        ("POST", "/cache/purge", {"tags": "x"}, 400, "tags"),
    ],
)
def test_what_is_wrong_is_named(gateway: Gateway, method: str, path: str, body: Any, status: int, param: str) -> None:
    answer = gateway.admin(method, path, json=body) if body is not None else gateway.admin(method, path)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_a_tenants_key_is_no_admin_key_and_the_other_way_round(gateway: Gateway) -> None:
    header = {"authorization": f"Bearer {gateway.key()}"}
    assert gateway.http.get("/admin/tenants", headers=header).status_code == 401
    assert gateway.chat(BODY, "admin-key-of-the-tests").status_code == 401
