"""Embeddings past the edge: what is held, booked and told of a call, however it ends."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import BudgetExceeded, NotAllowed
from gateway.exchange import Call, Caller, Closed
from gateway.settings import OWN_EMBEDDER
from serving.errors import BackendUnavailable
from tests.fakes.backend import HANG, JSON, Script, Seen
from tests.fakes.background import running
from tests.gateway.assembled import PRICES, Assembled, assembled
from tests.gateway.calls import call, caller
from tests.gateway.waiting import until

PATH = "/v1/embeddings"
TEXTS = ("abcd", "efgh")
MOST = 2 * (2 + 16)  # what may be read of them: two bytes a token, and what an engine may put around each
VECTOR = base64.b64encode(bytes(12)).decode()


def asking(who: Caller | None = None, model: str = "pair") -> Call:
    return replace(call(who=who, model=model), messages=(), inputs=TEXTS)


def answering(tokens: int) -> Script:
    data = [{"index": index, "object": "embedding", "embedding": VECTOR} for index in range(len(TEXTS))]
    return Script((json.dumps({"data": data, "usage": {"prompt_tokens": tokens}}).encode(),), headers=JSON)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    """`pair` embeds on both backends, `unpriced` too and has no price; `small` writes."""
    pair = {"backends": ["first", "second"], "embeddings": True}
    sections: dict[str, Any] = {
        "models": {"small": {"backends": ["first"]}, "pair": pair, "unpriced": pair},
        "prices": {"pair": PRICES},
    }
    with running(assembled(tmp_path_factory.mktemp("embedding"), **sections)) as started:
        yield started


@pytest.fixture
def answers(gateway: Assembled) -> Callable[[Script], None]:
    """Sets what both backends answer."""

    def answer(script: Script) -> None:
        async def scripted(seen: Seen) -> Script:
            return script

        gateway.fake.answers[PATH] = gateway.spare.answers[PATH] = scripted

    return answer


def asked(gateway: Assembled, one: Call) -> Closed:
    return gateway.do(gateway.runtime.embedding.run(one))[1]


def test_what_was_held_is_given_back_and_what_was_read_is_booked(
    gateway: Assembled, answers: Callable[[Script], None]
) -> None:
    answers(answering(7))
    one = asking()
    closed = asked(gateway, one)
    row = gateway.row(one)
    assert [stage["stage"] for stage in row["detail"]["stages"]] == ["hold", "embed", "route"]
    assert next(s["facts"]["tokens"] for s in row["detail"]["stages"] if s["stage"] == "hold") == MOST
    assert (row["status"], row["input_tokens"], row["output_tokens"], row["cost_nano"]) == (200, 7, 0, 7000)
    assert (row["model"], row["backend"] in ("first", "second"), row["token_source"]) == ("pair", True, "exact")
    assert closed.cost_usd == 7e-6
    assert set(closed.gateway) == {
        "request_id", "model", "backend", "prompt", "tokens", "cost_usd", "timings_ms",
    }  # fmt: skip
    gateway.assert_settled(one)


def test_what_no_backend_answers_costs_the_request_alone(gateway: Assembled, answers: Callable[[Script], None]) -> None:
    answers(Script(status=500, headers=JSON))
    one = asking()
    with pytest.raises(BackendUnavailable):
        asked(gateway, one)
    assert (gateway.row(one)["status"], gateway.row(one)["input_tokens"]) == (502, 0)
    gateway.assert_settled(one)


def test_what_is_refused_is_asked_of_nobody(gateway: Assembled, answers: Callable[[Script], None]) -> None:
    answers(answering(7))
    before = len(gateway.fake.requests) + len(gateway.spare.requests)
    poor = asking(caller(limits=(f"tokens/day={MOST}",)))
    asked(gateway, poor)
    again = asking(poor.caller)
    with pytest.raises(BudgetExceeded):
        asked(gateway, again)
    unpriced = asking(model="unpriced")
    with pytest.raises(NotAllowed, match=r"Set \[prices.unpriced\]"):
        asked(gateway, unpriced)
    assert len(gateway.fake.requests) + len(gateway.spare.requests) == before + 1
    gateway.assert_settled(poor, again)
    gateway.assert_settled(unpriced)


def test_a_cancelled_call_has_had_its_texts_read(gateway: Assembled, answers: Callable[[Script], None]) -> None:
    answers(Script((HANG,)))
    one = asking()

    async def leave() -> None:
        before = sum(seen.path == PATH for fake in (gateway.fake, gateway.spare) for seen in fake.requests)
        task = asyncio.create_task(gateway.runtime.embedding.run(one))
        await until(
            lambda: sum(s.path == PATH for fake in (gateway.fake, gateway.spare) for s in fake.requests) > before
        )
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    gateway.do(leave())
    row = gateway.row(one)
    assert (row["status"], row["input_tokens"], row["token_source"]) == (499, MOST, "estimate")
    gateway.assert_settled(one)


@pytest.mark.parametrize("model", [OWN_EMBEDDER, "pair"])
def test_the_records_say_what_was_asked(gateway: Assembled, answers: Callable[[Script], None], model: str) -> None:
    answers(answering(7))
    one = asking(caller(limits=("tokens/day=1000",)), model)
    closed = asked(gateway, one)
    assert (one.operation, closed.gateway["model"], closed.completion.start.id) == (
        "embeddings", model, f"embd-{one.request_id}",
    )  # fmt: skip
    facts = next(s["facts"] for s in gateway.row(one)["detail"]["stages"] if s["stage"] == "embed")
    assert (facts["texts"], facts["source"]) == (2, "exact")
    gateway.assert_settled(one)
