"""Purging over HTTP."""

from tests.gateway.api.conftest import Gateway

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}


def test_a_purge_by_tag_removes_that_tenants_answers(gateway: Gateway) -> None:
    made = gateway.admin("POST", "/keys", json={"tenant": (tenant := gateway.tenant())}).json()
    other = gateway.key()
    for key in (made["key"], other):
        gateway.chat(BODY, key)
    assert gateway.admin("POST", "/cache/purge", json={"tag": f"tenant:{tenant}"}).json() == {"purged": 1}
    assert gateway.chat(BODY, made["key"]).headers["x-cache"] == "miss"
    assert gateway.chat(BODY, other).headers["x-cache"] == "exact"


def test_a_misspelt_field_purges_nothing(gateway: Gateway) -> None:
    key = gateway.key()
    gateway.chat(BODY, key)
    refused = gateway.admin("POST", "/cache/purge", json={"tags": "x"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tags")
    assert gateway.chat(BODY, key).headers["x-cache"] == "exact"


def test_a_tag_that_no_answer_can_have_purges_nothing(gateway: Gateway) -> None:
    refused = gateway.admin("POST", "/cache/purge", json={"tag": "tenants:acme"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tag")
    assert "tenant:" in refused.json()["error"]["message"]
