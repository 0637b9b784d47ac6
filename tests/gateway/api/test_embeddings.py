"""Embeddings end to end over real sockets: OpenAI's own client, the gateway's own model, a scripted backend."""

import base64
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
from openai.types import CreateEmbeddingResponse

from gateway.app import create_app
from gateway.settings import OWN_EMBEDDER, Settings
from retrieval.embed import Embedder
from tests.fakes.backend import FIN, HANG, JSON, MODEL, FakeBackend, Script, Seen
from tests.fakes.background import running
from tests.gateway.api.conftest import ADMIN_KEY, ROOT, Gateway
from tests.gateway.api.server import served
from tests.gateway.waiting import waited

PATH = "/v1/embeddings"
TEXTS = ["What does the KV cache hold?", "naïve 日本語 👩\u200d🚀", "What does the KV cache hold?", "a " * 200]
LONG = "word " * 300  # 302 word pieces with [CLS] and [SEP]


def script(texts: int, tokens: int = 5, **changes: Any) -> Script:
    """What vLLM 0.32 answers (EmbeddingResponse), in an order of its own: vectors of three numbers."""
    data = [{"index": i, "object": "embedding", "embedding": vector(i)} for i in reversed(range(texts))]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0, "prompt_tokens_details": None}
    frame = {"id": "embd-fake", "object": "list", "created": 1_790_000_000, "model": MODEL}
    return Script((json.dumps({**frame, "data": data, "usage": usage} | changes).encode(),), headers=JSON)


def vector(number: float) -> str:
    return base64.b64encode(np.array([number, 0.5, -0.25], "<f4").tobytes()).decode()


def settings(backends: dict[str, str], folder: Path) -> Settings:
    """Aliases: `small` writes, `pair` embeds on both backends; the own model and `pair` have prices."""
    return Settings.model_validate(
        {
            "state": {"url": f"sqlite:///{folder}/state.db"},
            "models": {
                "small": {"backends": ["first"]},
                "pair": {"backends": ["first", "second"], "embeddings": True},
            },
            "backends": {name: {"url": url} for name, url in backends.items()},
            "build": {"prompts": ROOT / "prompts"},
            "prices": {"pair": {"input": 2.0, "output": 9.0}, OWN_EMBEDDER: {"input": 1.0, "output": 0.0}},
        }
    )


class Pair:
    """One gateway before two backends, which answer `plan`s in turn, whichever is asked."""

    def __init__(self, gateway: Gateway, spare: FakeBackend) -> None:
        self.gateway, self.backends, self._plan = gateway, (gateway.fake, spare), list[Script]()
        for backend in self.backends:
            backend.answers[PATH] = self._answer

    def plan(self, *scripts: Script) -> None:
        self._plan[:] = scripts

    def seen(self) -> list[Seen]:
        return [seen for backend in self.backends for seen in backend.requests if seen.path == PATH]

    def post(self, body: dict[str, Any], key: str | None = None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {key or self.gateway.key()}"}
        return self.gateway.http.post(PATH, headers=headers, json=body)

    def key(self, **scopes: list[str]) -> str:
        made = self.gateway.admin("POST", "/keys", json={"tenant": self.gateway.tenant(), "scopes": scopes})
        return str(made.json()["key"])

    async def _answer(self, seen: Seen) -> Script:
        return self._plan.pop(0) if self._plan else script(len(seen.body["input"]))


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Pair]:
    async with FakeBackend() as fake, FakeBackend() as spare:
        app = create_app(settings({"first": fake.url, "second": spare.url}, folder))
        async with served(app) as url:
            with httpx2.Client(base_url=url, timeout=60) as http:
                yield Pair(Gateway(url, fake, app, http), spare)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLLGATE_ADMIN_KEY", ADMIN_KEY)
        with running(started(tmp_path_factory.mktemp("pair"))) as made:
            waited(lambda: len(made.gateway.runtime.models) == 2)
            yield made


@pytest.fixture(scope="module")
def embedder() -> Iterator[Embedder]:
    """Another instance of the gateway's own model."""
    made = Embedder()
    yield made
    made.close()


def test_the_own_model_gives_its_vectors(pair: Pair, embedder: Embedder) -> None:
    client = pair.gateway.openai("tokens/day=1000", "requests/minute=60")
    raw = client.embeddings.with_raw_response.create(model=OWN_EMBEDDER, input=TEXTS)  # base64, the client's habit
    answer = raw.parse()
    expected, tokens = embedder.encode(TEXTS), sum(embedder.tokens(text) for text in TEXTS)
    assert [entry.index for entry in answer.data] == [0, 1, 2, 3]
    np.testing.assert_allclose([entry.embedding for entry in answer.data], expected, atol=1e-5)
    assert (answer.model, answer.usage.prompt_tokens, answer.usage.total_tokens) == (OWN_EMBEDDER, tokens, tokens)
    ours = json.loads(raw.text)["gateway"]
    assert ours["tokens"] == {"input": tokens, "output": 0, "cached": 0, "source": "exact"}
    assert (raw.headers["x-tokens-used"], raw.headers["x-tokens-remaining"]) == (str(tokens), str(1000 - tokens))
    assert raw.headers["x-ratelimit-remaining-requests"] == "59"
    assert float(raw.headers["x-cost-usd"]) == pytest.approx(tokens / 1e6)
    assert "embed;dur=" in raw.headers["server-timing"]
    assert "x-cache" not in raw.headers


def test_numbers_and_base64_are_the_same_vector(pair: Pair) -> None:
    body = {"model": OWN_EMBEDDER, "input": "A question", "dimensions": 384, "user": "u"}
    numbers = CreateEmbeddingResponse.model_validate_json(
        pair.post(body | {"encoding_format": "float"}).text, strict=True
    )
    coded = pair.post(body | {"encoding_format": "base64"}).json()["data"][0]["embedding"]
    assert len(numbers.data[0].embedding) == 384
    assert np.array(numbers.data[0].embedding, np.float32).tolist() == pytest.approx(
        np.frombuffer(base64.b64decode(coded), "<f4").tolist(), abs=1e-6
    )
    assert pair.post(body).json()["data"][0]["embedding"] == numbers.data[0].embedding  # numbers are the default


def test_a_request_has_one_row_that_says_what_it_was(pair: Pair) -> None:
    answer = pair.post({"model": OWN_EMBEDDER, "input": ["a b", "c"], "gateway": {"tags": {"feature": "search"}}})
    row = pair.gateway.admin("GET", f"/requests/{answer.headers['x-request-id']}").json()
    assert (row["status"], row["model"], row["input_tokens"], row["output_tokens"]) == (200, OWN_EMBEDDER, 7, 0)
    assert (row["cost_nano"], row["cache"], row["stop"]) == (7000, None, None)
    stages = {stage["stage"]: stage.get("facts") for stage in row["detail"]["stages"]}
    assert stages["embed"] == {"texts": 2, "dimensions": 384, "input_tokens": 7, "source": "exact"}


def test_many_texts_come_back_in_their_order(pair: Pair, embedder: Embedder) -> None:
    texts = [f"{word} {n}" for n in range(20) for word in ("red", "seven horses ran over the hill and", "x")]
    answer = pair.gateway.openai().embeddings.create(model=OWN_EMBEDDER, input=texts)
    np.testing.assert_allclose([entry.embedding for entry in answer.data], embedder.encode(texts), atol=1e-5)


def test_a_text_beyond_the_window_is_refused_with_the_numbers(pair: Pair) -> None:
    client = pair.gateway.openai("tokens/day=1000")
    with pytest.raises(openai.BadRequestError, match=r"input\[1\] has 302 tokens .* 256.* at least 46") as refused:
        client.embeddings.create(model=OWN_EMBEDDER, input=["short", LONG])
    assert (refused.value.param, refused.value.code) == ("input", "context_length_exceeded")
    with pytest.raises(openai.BadRequestError, match=r"input\[0\] has 8193 characters"):
        client.embeddings.create(model=OWN_EMBEDDER, input="x" * 8193)
    assert client.embeddings.create(model=OWN_EMBEDDER, input="word " * 254).usage.prompt_tokens == 256


def test_nothing_is_embedded_that_the_budget_does_not_cover(pair: Pair) -> None:
    client = pair.gateway.openai("tokens/day=10")
    client.embeddings.create(model=OWN_EMBEDDER, input="a b c d")  # 6 tokens
    with pytest.raises(openai.RateLimitError) as refused:
        client.embeddings.create(model=OWN_EMBEDDER, input="a b c d")
    assert refused.value.code == "budget_exceeded"
    assert client.embeddings.create(model=OWN_EMBEDDER, input="a b").usage.total_tokens == 4


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"input": None}, "input", "must be a string or a list"),
    ({"input": ""}, "input", "none of them empty"),
    ({"input": []}, "input", "must be a string or a list"),
    ({"input": ["a", ""]}, "input", "none of them empty"),
    ({"input": ["a", 7]}, "input", "must be a string or a list"),
    ({"input": {"text": "a"}}, "input", "must be a string or a list"),
    ({"input": [1, 2, 3]}, "input", "send the text"),
    ({"input": [[1, 2], [3]]}, "input", "send the text"),
    ({"input": ["a"] * 2049}, "input", "2049 texts; at most 2048"),
    ({"encoding_format": "int8"}, "encoding_format", "float"),
    ({"dimensions": 256}, "dimensions", "have 384 dimensions"),
    ({"dimensions": 0}, "dimensions", "from 1 to"),
    ({"truncate_prompt_tokens": 5}, "truncate_prompt_tokens", "nothing is cut silently"),
    ({"messages": []}, "messages", "send input"),
    ({"cache_salt": "x"}, "cache_salt", "the gateway sets it"),
    ({"inputs": "a"}, "inputs", "not a field"),
    ({"gateway": {"cache": "use"}}, "gateway.cache", "not a field"),
    ({"model": None}, "model", "valid string"),
    ({"model": "small"}, "model", "makes no embeddings"),
]


@pytest.mark.parametrize(("changes", "param", "says"), REFUSED)
def test_a_bad_field_is_named_with_what_to_do(pair: Pair, changes: dict[str, Any], param: str, says: str) -> None:
    answer = pair.post({"model": OWN_EMBEDDER, "input": "a"} | changes)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, "invalid_value")
    assert says in error["message"]


def test_half_a_character_is_no_text(pair: Pair) -> None:
    headers = {"authorization": f"Bearer {pair.gateway.key()}"}
    body = b'{"model": "all-MiniLM-L6-v2", "input": "\\ud800"}'
    assert pair.gateway.http.post(PATH, headers=headers, content=body).status_code == 400


def test_keys_embed_with_the_models_they_may_use(pair: Pair) -> None:
    body = {"model": OWN_EMBEDDER, "input": "a"}
    assert pair.post(body, pair.key(models=["all-*"])).status_code == 200
    for key in (pair.key(models=["small"]), pair.key(prompts=["answer"])):
        refused = pair.post(body, key)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    assert pair.post(body, "tg_nobody").status_code == 401
    assert pair.post(body | {"model": "unknown"}).json()["error"]["code"] == "model_not_found"


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
        headers = {"authorization": f"Bearer {key}", "idempotency-key": name}
        return pair.gateway.http.post(PATH, headers=headers, json={"model": "pair", "input": text})

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
    body = b'{"model": "pair", "input": "abcd"}'
    with pair.gateway.connect() as client:
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        waited(lambda: len(pair.seen()) > before)
    waited(lambda: pair.seen()[-1].left_early or any(seen.left_early for seen in pair.seen()))
    usage = pair.gateway.http.get("/v1/usage", headers={"authorization": f"Bearer {key}"})

    def settled() -> bool:
        nonlocal usage
        usage = pair.gateway.http.get("/v1/usage", headers={"authorization": f"Bearer {key}"})
        return bool(usage.json()["balances"][0]["held"] == 0)

    waited(settled)
    assert usage.json()["balances"][0]["used"] == 18  # the engine has read it


def test_many_tenants_at_once_get_their_own_vectors(pair: Pair, embedder: Embedder) -> None:
    """Texts of concurrent requests share batches."""
    texts = [[f"{tenant} asks {n}" for n in range(12)] for tenant in ("red", "green", "blue")]
    answers: dict[int, Any] = {}

    def ask(number: int) -> None:
        answers[number] = pair.post({"model": OWN_EMBEDDER, "input": texts[number]}).json()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, asked in enumerate(texts):
        given = [entry["embedding"] for entry in answers[number]["data"]]
        np.testing.assert_allclose(given, embedder.encode(asked), atol=1e-5)
