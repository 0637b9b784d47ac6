"""Embeddings by backends, over real sockets: what they are sent, whose vectors are taken, who is asked next."""

import json
from collections.abc import Callable

import httpx2
import pytest

from gateway.settings import OWN_EMBEDDER
from tests.fakes.backend import FIN, HANG, JSON, MODEL, Script
from tests.gateway.api.conftest import raw_post
from tests.gateway.api.embeddings.conftest import PATH, Pair, script, vector
from tests.gateway.waiting import waited


@pytest.mark.parametrize("model", ["pair", OWN_EMBEDDER])
def test_a_model_that_embeds_writes_no_text(pair: Pair, model: str) -> None:
    refused = pair.gateway.chat({"model": model, "messages": [{"role": "user", "content": "Hi"}]})
    assert refused.status_code == 400
    assert "ask /v1/embeddings" in refused.json()["error"]["message"]


def test_a_backends_vectors(pair: Pair) -> None:
    pair.plan(script(2, tokens=9))
    client = pair.gateway.openai("tokens/day=1000")
    raw = client.embeddings.with_raw_response.create(model="pair", input=["a", "b"], dimensions=3, user="u")
    answer = raw.parse()
    assert [entry.embedding for entry in answer.data] == [[0, 0.5, -0.25], [1, 0.5, -0.25]]
    assert (answer.model, answer.usage.prompt_tokens, answer.usage.total_tokens) == ("pair", 9, 9)
    ours = json.loads(raw.text)["gateway"]
    assert ours["tokens"] == {"input": 9, "output": 0, "cached": 0, "source": "exact"}
    assert (ours["backend"] in ("first", "second"), ours["cost_usd"]) == (True, 1.8e-05)
    assert raw.headers["x-tokens-used"] == "9"  # what was held before is given back
    body = dict(pair.seen()[-1].body)
    assert len(bytes.fromhex(body.pop("cache_salt"))) == 32
    assert body == {"model": MODEL, "input": ["a", "b"], "encoding_format": "base64", "dimensions": 3}
    assert pair.seen()[-1].request_id == raw.headers["x-request-id"]


def test_numbers_from_a_server_that_knows_no_base64(pair: Pair) -> None:
    pair.plan(script(1, data=[{"index": 0, "object": "embedding", "embedding": [1, 0.5]}]))
    assert pair.post({"model": "pair", "input": "a"}).json()["data"][0]["embedding"] == [1.0, 0.5]


def test_another_replica_answers_when_one_does_not(pair: Pair) -> None:
    for broken in (Script((FIN,)), Script(status=500, headers=JSON), Script((b"[]",), headers=JSON)):
        pair.plan(broken)
        assert pair.post({"model": "pair", "input": "a"}).status_code == 200


def test_what_the_engine_refuses_is_refused_with_its_words(pair: Pair) -> None:
    said = {"error": {"message": "matryoshka is not supported", "type": "BadRequestError", "param": None, "code": 400}}
    pair.plan(Script((json.dumps(said).encode(),), status=400, headers=JSON))
    before = len(pair.seen())
    refused = pair.post({"model": "pair", "input": "a", "dimensions": 2})
    assert refused.status_code == 400
    assert "matryoshka" in refused.json()["error"]["message"]
    assert len(pair.seen()) == before + 1  # the other replica would say the same


WRONG: dict[str, Callable[[], Script]] = {
    "one too few": lambda: script(1),
    "one too many": lambda: script(3),
    "twice the same": lambda: script(2, data=[{"index": 0, "embedding": vector(0)}] * 2),
    "of two lengths": lambda: script(2, data=[{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]),
    "empty": lambda: script(2, data=[{"index": i, "embedding": ""} for i in range(2)]),
    "text": lambda: script(2, data=[{"index": i, "embedding": ["a"]} for i in range(2)]),
    "no number": lambda: script(2, data=[{"index": i, "embedding": vector(float("nan"))} for i in range(2)]),
    "no base64": lambda: script(2, data=[{"index": i, "embedding": "?"} for i in range(2)]),
    "no data": lambda: script(2, data=None),
    "no usage": lambda: script(2, usage=None),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_vectors_that_cannot_be_are_a_broken_backend(pair: Pair, wrong: str) -> None:
    pair.plan(WRONG[wrong](), WRONG[wrong]())
    answer = pair.post({"model": "pair", "input": ["a", "b"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "backend_unavailable")
    assert pair.post({"model": "pair", "input": ["a", "b"]}).status_code == 200


def test_the_same_request_under_one_key_is_paid_once(pair: Pair) -> None:
    key, before = pair.gateway.key("tokens/day=1000"), len(pair.seen())

    def ask(text: str, name: str) -> httpx2.Response:
        return pair.post({"model": "pair", "input": text}, key, **{"idempotency-key": name})

    first, again, other = ask("a", "k"), ask("a", "k"), ask("b", "k")
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    assert again.headers["x-tokens-used"] == "5"
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert len(pair.seen()) == before + 1
    pair.plan(*[Script(status=500, headers=JSON)] * 2)
    assert [ask("c", "free").status_code for _ in range(2)] == [502, 200]  # what cost nothing


@pytest.mark.parametrize("lie", [-1, 0, 10**15])
def test_a_usage_that_cannot_be_is_ours(pair: Pair, lie: int) -> None:
    pair.plan(script(1, tokens=lie))
    ours = pair.post({"model": "pair", "input": "abcd"}).json()["gateway"]
    assert ours["tokens"] == {"input": 18, "output": 0, "cached": 0, "source": "estimate"}


def test_a_client_that_leaves_stops_the_backend_and_is_settled(pair: Pair) -> None:
    pair.plan(Script((HANG,)))
    key, before = pair.gateway.key("tokens/day=1000"), len(pair.seen())
    with pair.gateway.connect() as client:
        client.sendall(raw_post(PATH, b'{"model": "pair", "input": "abcd"}', key))
        waited(lambda: len(pair.seen()) > before)
    waited(lambda: pair.seen()[-1].left_early or any(seen.left_early for seen in pair.seen()))
    waited(lambda: pair.gateway.balance(key) == (18, 0))  # the engine has read it
