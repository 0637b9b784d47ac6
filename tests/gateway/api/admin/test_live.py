"""/admin/reload and /admin/canaries over HTTP; what they do is tested in tests/gateway/live."""

from tests.gateway.api.conftest import Gateway


def test_nothing_new_is_nothing_changed(gateway: Gateway) -> None:
    answer = gateway.admin("POST", "/reload")
    assert answer.status_code == 200
    assert answer.json() == {"object": "reload", "changed": False, "settings": [], "prompts": {}}


def test_there_are_no_canaries_without_settings(gateway: Gateway) -> None:
    assert gateway.admin("GET", "/canaries").json() == {"object": "list", "data": []}


def test_what_is_not_tried_cannot_be_released(gateway: Gateway) -> None:
    answer = gateway.admin("POST", "/canaries/release", json={"prompt": "answer", "version": "v4"})
    assert answer.status_code == 404
    assert answer.json()["error"]["param"] == "version"


def test_both_need_the_admin_key(gateway: Gateway) -> None:
    headers = {"authorization": f"Bearer {gateway.key()}"}
    for method, path in (("POST", "/reload"), ("GET", "/canaries"), ("POST", "/canaries/release")):
        assert gateway.http.request(method, f"/admin{path}", headers=headers).status_code == 401
