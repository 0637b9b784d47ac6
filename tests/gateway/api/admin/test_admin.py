"""What holds for every admin route: the admin key alone opens it."""

import pytest
from fastapi.routing import APIRoute

from gateway.api.admin import cache, keys, reports, tenants
from tests.gateway.api.conftest import Gateway

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}
ROUTES = [
    ("POST", "/tenants"), ("GET", "/tenants"), ("GET", "/tenants/acme"), ("PATCH", "/tenants/acme"),
    ("POST", "/keys"), ("GET", "/keys"), ("POST", "/keys/k/rotate"), ("DELETE", "/keys/k"),
    ("GET", "/usage"), ("GET", "/quality"), ("GET", "/audit"), ("GET", "/requests/r"), ("POST", "/cache/purge"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_tenants_key_is_no_admin_key(gateway: Gateway, method: str, path: str) -> None:
    for headers in ({}, {"authorization": f"Bearer {gateway.key()}"}):
        refused = gateway.http.request(method, f"/admin{path}", headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")


def test_the_list_above_is_every_route() -> None:
    routes = [route for part in (tenants, keys, reports, cache) for route in part.router.routes]
    assert sum(len(route.methods or ()) for route in routes if isinstance(route, APIRoute)) == len(ROUTES)


def test_the_admin_key_is_no_tenants_key(gateway: Gateway) -> None:
    assert gateway.chat(BODY, "admin-key-of-the-tests").status_code == 401


ODD = ["%00", "%ff", "%F0%9F%98%80", "a" * 5000, "..%2f", "'", "%0a", "1e999", "-1", "9" * 30, "tag:%00", "UTC%00", ""]
QUERIES = ["/usage?by=", "/usage?since=", "/usage?zone=", "/usage?tenant=", "/audit?limit=", "/audit?subject="]
QUERIES += ["/quality?by=", "/quality?since=", "/quality?zone=", "/quality?tenant="]


@pytest.mark.parametrize("odd", ODD)
def test_no_odd_text_is_a_failure(gateway: Gateway, odd: str) -> None:
    answers = [gateway.admin("GET", path + odd) for path in ("/tenants/", "/requests/", "/keys?tenant=", *QUERIES)]
    answers += [gateway.admin("DELETE", f"/keys/{odd}"), gateway.admin("POST", f"/keys/{odd}/rotate")]
    answers += [gateway.admin("PATCH", f"/tenants/{odd}", json={"limits": []})]
    assert max(answer.status_code for answer in answers) < 500
