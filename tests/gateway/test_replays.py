"""What makes two requests the same, and what a taken key means to the next request."""

from dataclasses import replace

import pytest

from gateway.errors import KeyReused, StillRunning
from gateway.exchange import Caller
from gateway.replays import fingerprint, usable
from gateway.state import Replay, Scopes

WHO = Caller("k", "acme")
BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}
SAME = fingerprint(WHO, "POST", "/v1/chat/completions", BODY)
CLAIM = Replay("acme", "key", SAME, "req_2", "owner", 1000.0)


def test_the_order_of_fields_makes_no_other_request() -> None:
    shuffled = {"messages": [{"content": "Hi", "role": "user"}], "model": "small"}
    assert fingerprint(WHO, "POST", "/v1/chat/completions", shuffled) == SAME


def test_another_key_of_the_same_rights_asks_the_same_and_one_of_others_does_not() -> None:
    tagged = Scopes(models=("small",), tags={"team": "a"})
    path = ("POST", "/v1/chat/completions", BODY)
    assert fingerprint(replace(WHO, key="k2"), *path) == SAME
    assert fingerprint(replace(WHO, scopes=tagged), *path) == fingerprint(replace(WHO, scopes=tagged), *path) != SAME


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/chat/completions", BODY),
        ("POST", "/v1/completions", BODY),
        ("POST", "/v1/chat/completions", BODY | {"stream": True}),
        ("POST", "/v1/chat/completions", BODY | {"messages": [{"role": "user", "content": "Hi "}]}),
    ],
)
def test_whatever_else_differs_makes_another(method: str, path: str, body: dict[str, object]) -> None:
    assert fingerprint(WHO, method, path, body) != SAME


def test_a_finished_answer_to_the_same_request_is_usable() -> None:
    usable(replace(CLAIM, request_id="req_1", status=200), CLAIM, 1000.0)


@pytest.mark.parametrize("status", [0, 200])
def test_another_request_is_told_so_whether_the_first_is_over_or_not(status: int) -> None:
    with pytest.raises(KeyReused):
        usable(replace(CLAIM, digest=b"another", status=status), CLAIM, 1000.0)


@pytest.mark.parametrize(("runs", "wait"), [(-5.0, 1.0), (0.2, 1.0), (8.0, 8.0), (500.0, 60.0)])
def test_a_running_request_is_to_be_asked_for_again_when_it_has_run_twice_as_long(runs: float, wait: float) -> None:
    with pytest.raises(StillRunning) as raised:
        usable(replace(CLAIM, request_id="req_1", at=1000.0 - runs), CLAIM, 1000.0)
    assert raised.value.retry_after == wait
