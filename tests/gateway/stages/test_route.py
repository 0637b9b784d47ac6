"""Which backend is asked, what it is sent, and who is asked next when it does not answer."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.exchange import Call
from gateway.state import Scopes
from serving.errors import BackendBroken, BackendOverloaded, BackendRejected, BackendUnavailable
from tests.fakes.backend import FIN, HANG, JSON, RST, Script, said, words
from tests.gateway.assembled import CHAT, Assembled, Outcome
from tests.gateway.calls import call, caller
from tests.gateway.conftest import Make

FULL = Script(status=503, headers=JSON, steps=(b"{}",))
DOWN = Script(status=500, headers=JSON, steps=(b"{}",))


@pytest.fixture
def gateway(make: Make) -> Assembled:
    """One of its own: failures leave their mark on a pool."""
    return make()


def routes(gateway: Assembled, asked: Call) -> list[tuple[str, str | None]]:
    """The backends asked, in order, each with how it failed."""
    stages = gateway.row(asked)["detail"]["stages"]
    return [(s["facts"]["backend"], s.get("error")) for s in stages if s["stage"] == "route"]


@pytest.mark.parametrize(
    ("scripts", "failure"),
    [
        ([FULL], "BackendOverloaded"),
        ([DOWN], "BackendUnavailable"),
        ([Script((RST,))] * 2, "BackendUnavailable"),  # a reset of a kept connection is tried once more
        ([Script((b"data: nonsense\n\n",))], "BackendBroken"),
    ],
)
def test_the_next_is_asked_before_the_first_event(gateway: Assembled, scripts: list[Script], failure: str) -> None:
    gateway.fake.plan(*scripts)
    gateway.spare.plan(Script(said("spare")))
    outcome = gateway.ask()
    assert outcome.text == "spare"
    assert routes(gateway, outcome.call) == [("first", failure), ("second", None)]
    assert outcome.closed.gateway["backend"] == gateway.row(outcome.call)["backend"] == "second"
    gateway.assert_settled(outcome.call)


def test_a_fallback_that_the_key_may_not_use_is_not_asked(gateway: Assembled) -> None:
    who = replace(caller(), scopes=Scopes(models=("small",)))
    gateway.fake.plan(FULL)
    outcome = gateway.ask(who=who)
    assert isinstance(outcome.error, BackendOverloaded)
    assert routes(gateway, outcome.call) == [("first", "BackendOverloaded")]
    assert CHAT not in [seen.path for seen in gateway.spare.requests]


def test_a_fallbacks_answer_is_its_own_in_name_and_price_and_is_not_kept(make: Make) -> None:
    dear = {"input": 1000.0, "output": 1000.0}
    gateway = make(prices={"small": {"input": 1.0, "output": 1.0}, "other": dear})
    who = caller()
    gateway.fake.plan(FULL)
    outcome = gateway.ask(who=who, cache="use")
    row = gateway.row(outcome.call)
    assert outcome.opened.start.model == outcome.closed.gateway["model"] == row["model"] == "other"
    assert row["cost_nano"] == (row["input_tokens"] + row["output_tokens"]) * 1_000_000
    gateway.assert_settled(outcome.call)
    again = gateway.ask(who=who, cache="use")  # the one that was asked is back
    assert (again.cache["verdict"], again.closed.gateway["model"]) == ("miss", "small")


def test_each_generation_has_the_price_of_the_model_that_made_it(make: Make) -> None:
    """The first is cut; its retry is answered by the fallback, which is cheaper by far."""
    dear, cheap = {"input": 10.0, "output": 20.0}, {"input": 0.1, "output": 0.2}
    gateway = make(prices={"small": dear, "other": cheap})
    gateway.fake.plan(Script(said("a", "b", finish="length")), FULL)
    outcome = gateway.ask(on_length="retry")
    row = gateway.row(outcome.call)
    assert (row["model"], row["input_tokens"], row["output_tokens"]) == ("other", 26, 4)
    assert row["cost_nano"] == (13 * 10_000 + 2 * 20_000) + (13 * 100 + 2 * 200)
    gateway.assert_settled(outcome.call)


def test_a_replica_that_left_does_not_keep_another_from_answering(make: Make) -> None:
    """The one that counts tokens is away: the count is a guess, and the answer comes from the other."""
    gateway = make()
    gateway.fake.answers["/tokenize"] = gateway.spare.answers["/tokenize"] = DOWN
    outcome = gateway.ask(model="pair")
    assert outcome.closed.gateway["tokens"]["source"] == "estimate"
    gateway.assert_settled(outcome.call)


def test_without_running_usage_the_gateway_counts_what_was_said(gateway: Assembled) -> None:
    """A server that tells no usage before its end; the client leaves before that."""
    bare = [chunk.replace(b'"usage": {', b'"unused": {') for chunk in words("Hel", "lo", " there")]
    assert all(b'"usage"' not in chunk for chunk in bare)
    gateway.fake.plan(Script((*bare, HANG)))
    asked = call()
    gateway.do(gateway.leaving(asked, 4))
    row = gateway.row(asked)
    assert row["status"] == 499
    assert row["input_tokens"] > 0
    assert row["output_tokens"] > 0
    gateway.assert_settled(asked)


def test_the_next_is_asked_when_one_is_silent(make: Make) -> None:
    gateway = make(patience=1.0)
    gateway.fake.plan(Script((HANG,)))
    outcome = gateway.ask()
    assert routes(gateway, outcome.call) == [("first", "BackendTimeout"), ("second", None)]
    assert outcome.error is None


@pytest.mark.parametrize("ending", [FIN, RST])
def test_nobody_is_asked_after_the_first_event(gateway: Assembled, ending: Any) -> None:
    gateway.fake.plan(Script((*words("Hel"), ending)))
    outcome = gateway.ask()
    assert isinstance(outcome.error, BackendBroken)
    assert outcome.streamed == "Hel"
    assert [seen for seen in gateway.spare.requests if seen.path == CHAT] == []


def test_a_request_that_is_wrong_is_not_asked_again(gateway: Assembled) -> None:
    refused = b'{"error": {"message": "temperature must be positive", "param": "temperature"}}'
    gateway.fake.plan(Script(status=400, headers=JSON, steps=(refused,)))
    outcome = gateway.ask()
    assert isinstance(outcome.error, BackendRejected)
    assert routes(gateway, outcome.call) == [("first", "BackendRejected")]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (FULL, BackendOverloaded),
        (DOWN, BackendUnavailable),
        (Script((b"data: nonsense\n\n",)), BackendBroken),
    ],
)
def test_when_all_fail_the_last_failure_is_told(gateway: Assembled, script: Script, error: type[Exception]) -> None:
    gateway.fake.plan(DOWN)
    gateway.spare.plan(script)
    outcome = gateway.ask()
    assert type(outcome.error) is error
    assert [backend for backend, _ in routes(gateway, outcome.call)] == ["first", "second"]
    gateway.assert_settled(outcome.call)


def test_no_more_are_asked_than_the_settings_allow(make: Make) -> None:
    gateway = make(route={"attempts": 1})
    gateway.fake.plan(DOWN)
    outcome = gateway.ask()
    assert isinstance(outcome.error, BackendUnavailable)
    assert [backend for backend, _ in routes(gateway, outcome.call)] == ["first"]


def test_replicas_of_one_alias_take_turns_and_stand_in(gateway: Assembled) -> None:
    first, second = (gateway.ask(model="pair", cache="skip") for _ in range(2))
    answered = [outcome.closed.gateway["backend"] for outcome in (first, second)]
    assert sorted(answered) == ["first", "second"]
    gateway.fake.plan(*[DOWN] * 5)
    assert [gateway.ask(model="pair", cache="skip").error for _ in range(4)] == [None] * 4


def test_a_backend_that_failed_too_often_is_asked_last(gateway: Assembled) -> None:
    gateway.fake.plan(*[DOWN] * 5)
    outcomes: list[Outcome] = []
    while len(gateway.chats()) < 5:
        outcomes.append(gateway.ask(model="pair", cache="skip"))
    for _ in range(3):
        assert routes(gateway, gateway.ask(model="pair", cache="skip").call) == [("second", None)]
    assert all(outcome.error is None for outcome in outcomes)


def test_the_backend_gets_the_trace_and_the_request_id(gateway: Assembled) -> None:
    caller_span = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    outcome = gateway.ask(traceparent=caller_span)
    headers = gateway.chats()[-1].headers
    assert headers["x-request-id"] == outcome.call.request_id
    assert headers["traceparent"] == outcome.call.trace.traceparent
    assert headers["traceparent"].startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")
    assert "00f067aa0ba902b7" not in headers["traceparent"]


def test_the_backend_gets_its_own_name_of_the_model_and_the_checked_fields(gateway: Assembled) -> None:
    gateway.ask(fields={"temperature": 0.5, "max_tokens": 9, "stop": ["x"]})
    body = gateway.chats()[-1].body
    assert (body["model"], body["temperature"], body["stop"]) == ("tiny", 0.5, ["x"])
    assert body["max_completion_tokens"] == 9
    assert "max_tokens" not in body
    assert body["stream"] is True


def test_each_tenant_has_a_cache_salt_of_its_own(gateway: Assembled) -> None:
    """In hex, which vLLM takes."""
    one, two = caller("acme"), caller("globex")
    for who in (one, one, two):
        gateway.ask(who=who, cache="skip")
    salts = [seen.body["cache_salt"] for seen in gateway.chats()]
    assert salts[0] == salts[1] != salts[2]
    assert all(len(bytes.fromhex(salt)) == 32 for salt in salts)


def test_a_shared_secret_makes_the_same_salts_everywhere(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLGATE_SECRET", "a secret of several gateways")
    salts = []
    for _ in range(2):
        gateway = make()
        gateway.ask(who=caller("acme"), cache="skip")
        salts.append(gateway.chats()[-1].body["cache_salt"])
    assert salts[0] == salts[1]


def test_where_a_backend_gives_no_usage_the_gateway_counts(gateway: Assembled) -> None:
    """Another server than vLLM: no running usage, and none at the end. 2 bytes a token is the estimate."""
    chunks = tuple(step.replace(b'"usage": {', b'"ignored": {') for step in words("four", "word", finish="stop"))
    gateway.fake.plan(Script((*chunks, b"data: [DONE]\n\n")))
    outcome = gateway.ask()
    assert (outcome.closed.usage.input_tokens, outcome.closed.usage.output_tokens) == (13, 4)
    gateway.assert_settled(outcome.call)


def test_a_cut_generation_says_so_in_the_trace(gateway: Assembled) -> None:
    gateway.fake.plan(Script((*words("a", "b"), HANG)))
    asked = call()
    gateway.do(gateway.leaving(asked, 2))
    generate = next(s for s in gateway.row(asked)["detail"]["stages"] if s["stage"] == "generate")
    assert generate["error"] == "cut"


def test_nothing_stays_in_flight(gateway: Assembled) -> None:
    gateway.fake.plan(Script((*words("a"), RST)), DOWN, Script((*words("a", "b"), HANG)))
    gateway.ask()
    gateway.ask()
    gateway.do(gateway.leaving(call(), 2))
    pool = gateway.runtime.models["small"].pool
    assert [pool.in_flight(backend) for backend in pool.backends] == [0]
