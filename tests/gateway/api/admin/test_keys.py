"""Keys over HTTP: they live from the first to the last moment, and open what their scopes say."""

import time
from typing import Any

import pytest

from tests.gateway.api.conftest import Gateway
from tests.gateway.waiting import WAIT_S

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}
ALL: dict[str, Any] = {"models": None, "prompts": None, "collections": None, "tags": {}, "access": []}


def made(gateway: Gateway, **wanted: Any) -> dict[str, Any]:
    """A new key of a new tenant, as it is shown once."""
    answer = gateway.admin("POST", "/keys", json={"tenant": gateway.tenant(), **wanted})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def listed(gateway: Gateway, tenant: str) -> list[dict[str, Any]]:
    return list(gateway.admin("GET", "/keys", params={"tenant": tenant}).json()["data"])


def test_a_key_works_until_it_is_revoked_and_its_secret_is_shown_once(gateway: Gateway) -> None:
    new = made(gateway, limits=["requests/day=5"], label="search team")
    full, key_id, tenant = new.pop("key"), new["id"], new["tenant"]
    assert (new["label"], new["limits"], new["scopes"], new["revoked"]) == (
        "search team",
        ["requests/day=5"],
        ALL,
        None,
    )
    assert gateway.chat(BODY, full).status_code == 200
    assert listed(gateway, tenant) == [new]
    assert full.rsplit("_", 1)[1] not in str(gateway.admin("GET", "/audit").json())
    assert gateway.admin("DELETE", f"/keys/{key_id}").json() == {"id": key_id, "revoked": True}
    assert gateway.chat(BODY, full).status_code == 401
    assert gateway.admin("DELETE", f"/keys/{key_id}").status_code == 200


def test_a_key_that_has_expired_is_refused(gateway: Gateway) -> None:
    key = made(gateway, expires=time.time() + 1)["key"]
    until = time.monotonic() + WAIT_S
    while gateway.chat(BODY, key).status_code != 401:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_rotated_key_is_refused_at_once_and_its_successor_has_all_it_had(gateway: Gateway) -> None:
    scopes = {"models": ["small"], "prompts": None, "collections": [], "tags": {"feature": "search"}, "access": ["hr"]}
    old = made(gateway, limits=["requests/day=5"], label="search", scopes=scopes, expires=time.time() + 9999)
    answer = gateway.admin("POST", f"/keys/{old['id']}/rotate")
    new = answer.json()
    assert answer.status_code == 201
    assert (gateway.chat(BODY, old["key"]).status_code, gateway.chat(BODY, new["key"]).status_code) == (401, 200)
    kept = ("tenant", "limits", "label", "scopes", "expires")
    assert [new[name] for name in kept] == [old[name] for name in kept]
    again = gateway.admin("POST", f"/keys/{old['id']}/rotate")
    assert (again.status_code, again.json()["error"]["param"]) == (400, "key_id")


def test_with_an_overlap_both_keys_open(gateway: Gateway) -> None:
    old = made(gateway)
    new = gateway.admin("POST", f"/keys/{old['id']}/rotate", json={"overlap_s": 3600}).json()
    assert (gateway.chat(BODY, old["key"]).status_code, gateway.chat(BODY, new["key"]).status_code) == (200, 200)
    (ending, _) = listed(gateway, old["tenant"])
    assert ending["revoked"] is None
    assert 3500 < ending["expires"] - time.time() <= 3600


def test_after_the_overlap_the_old_key_is_refused(gateway: Gateway) -> None:
    old = made(gateway)
    gateway.admin("POST", f"/keys/{old['id']}/rotate", json={"overlap_s": 0.5})
    until = time.monotonic() + WAIT_S
    while gateway.chat(BODY, old["key"]).status_code != 401:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_request_outside_the_scopes_is_refused_with_what_the_key_may_use(gateway: Gateway) -> None:
    key = made(gateway, scopes={"models": ["unpriced"]})["key"]
    error = gateway.chat(BODY, key).json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("permission_error", "not_allowed", "model")
    assert "unpriced" in error["message"]
    assert gateway.chat({**BODY, "model": "unpriced"}, key).status_code == 200


def test_a_keys_tags_cannot_be_forged_and_are_on_each_of_its_requests(gateway: Gateway) -> None:
    new = made(gateway, scopes={"tags": {"feature": "search"}})
    for tags in ({}, {"feature": "search"}, {"team": "red"}):
        assert gateway.chat({**BODY, "gateway": {"tags": tags}}, new["key"]).status_code == 200
    forged = gateway.chat({**BODY, "gateway": {"tags": {"feature": "chat"}}}, new["key"])
    assert (forged.status_code, forged.json()["error"]["param"]) == (403, "gateway.tags")
    query = {"tenant": new["tenant"], "by": "tag:feature,tag:team"}
    rows = gateway.admin("GET", "/usage", params=query).json()["data"]
    assert [(row["tag:feature"], row["tag:team"], row["requests"]) for row in rows] == [
        ("search", None, 2),
        ("search", "red", 1),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("POST", "/keys", {"tenant": "nobody"}, 404, "tenant"),
        ("POST", "/keys", {"tenant": "x", "expires": "soon"}, 400, "expires"),
        ("POST", "/keys", {"tenant": "x", "expires": 1e30}, 400, "expires"),
        ("POST", "/keys", {"tenant": "x", "label": "a\nb"}, 400, "label"),
        ("POST", "/keys", {"tenant": "x", "scopes": {"models": "small"}}, 400, "scopes.models"),
        ("POST", "/keys", {"tenant": "x", "scopes": {"models": ["a*b"]}}, 400, "scopes.models"),
        ("POST", "/keys", {"tenant": "x", "scopes": {"prompts": [1]}}, 400, "scopes.prompts[0]"),
        ("POST", "/keys", {"tenant": "x", "scopes": {"tags": {"a,b": "c"}}}, 400, "scopes.tags"),
        ("POST", "/keys", {"tenant": "x", "scopes": {"model": []}}, 400, "scopes.model"),
        ("POST", "/keys", {"tenant": "x", "scopes": {"access": [" hr"]}}, 400, "scopes.access"),
        ("POST", "/keys", {"tenant": "x", "scopes": {"access": None}}, 400, "scopes.access"),
        ("GET", "/keys", None, 400, "tenant"),
        ("GET", "/keys?tenant=nobody", None, 404, "tenant"),
        ("DELETE", "/keys/nothing", None, 404, "key_id"),
        ("POST", "/keys/nothing/rotate", None, 404, "key_id"),
        ("POST", "/keys/nothing/rotate", {"overlap_s": -1}, 400, "overlap_s"),
        ("POST", "/keys/nothing/rotate", {"overlap": 1}, 400, "overlap"),
    ],
)
def test_what_is_wrong_is_named(gateway: Gateway, method: str, path: str, body: Any, status: int, param: str) -> None:
    answer = gateway.admin(method, path, json=body) if body is not None else gateway.admin(method, path)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_a_key_that_would_have_expired_already_is_not_made(gateway: Gateway) -> None:
    tenant = gateway.tenant()
    refused = gateway.admin("POST", "/keys", json={"tenant": tenant, "expires": time.time() - 60})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "expires")
    assert listed(gateway, tenant) == []
