"""What users say of answers, over HTTP: of their own requests only."""

from typing import Any

import pytest

from tests.gateway.api.conftest import Gateway

ASKED = {"model": "small", "messages": [{"role": "user", "content": "Is this right?"}]}


def asked(gateway: Gateway, key: str) -> tuple[str, str]:
    """The request's id, and what the cache said."""
    answer = gateway.chat(ASKED, key)
    return answer.headers["x-request-id"], answer.headers["x-cache"]


def test_a_wrong_answer_is_forgotten(gateway: Gateway) -> None:
    key = gateway.key()
    made, hit = asked(gateway, key), asked(gateway, key)
    assert (made[1], hit[1]) == ("miss", "exact")
    told = gateway.post("/v1/feedback", {"request_id": hit[0], "right": False}, key)
    assert told.json() == {"object": "feedback", "request_id": hit[0], "right": False, "forgotten": True}
    again = gateway.post("/v1/feedback", {"request_id": made[0], "right": False}, key)
    assert again.json()["forgotten"] is False
    assert asked(gateway, key)[1] == "miss"


def test_a_hit_tells_its_age(gateway: Gateway) -> None:
    key = gateway.key()
    for stream in (False, True):
        answers = [gateway.chat(ASKED | {"stream": stream, "max_tokens": 9 + stream}, key) for _ in range(2)]
        assert [answer.headers.get("age") for answer in answers] == [None, "0"]
        assert [answer.headers["x-cache"] for answer in answers] == ["miss", "exact"]


def test_a_right_answer_stays(gateway: Gateway) -> None:
    key = gateway.key()
    made = asked(gateway, key)
    told = gateway.post("/v1/feedback", {"request_id": made[0], "right": True}, key)
    assert (told.status_code, told.json()["forgotten"]) == (200, False)
    assert asked(gateway, key)[1] == "exact"


def test_nobody_speaks_of_others_requests(gateway: Gateway) -> None:
    key, other = gateway.key(), gateway.key()
    made = asked(gateway, key)
    for request_id in (made[0], "request-that-never-was"):
        refused = gateway.post("/v1/feedback", {"request_id": request_id, "right": False}, other)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "request_not_found")
    assert asked(gateway, key)[1] == "exact"
    anonymous = gateway.http.post("/v1/feedback", json={"request_id": made[0], "right": False})
    assert anonymous.status_code == 401


@pytest.mark.parametrize(
    ("body", "param"),
    [({"right": False}, "request_id"), ({"request_id": "a", "right": "no"}, "right"), ({"request_id": "a"}, "right")],
)
def test_a_malformed_word_says_what_is_wrong(gateway: Gateway, body: dict[str, Any], param: str) -> None:
    refused = gateway.post("/v1/feedback", body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
