"""Embeddings by the gateway's own model, end to end over real sockets: OpenAI's own client, exact counts, refusals."""

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from openai.types import CreateEmbeddingResponse

from gateway.settings import OWN_EMBEDDER
from retrieval.embed import Embedder
from tests.gateway.api.embeddings.conftest import Pair

TEXTS = ["What does the KV cache hold?", "naïve 日本語 👩\u200d🚀", "What does the KV cache hold?", "a " * 200]
LONG = "word " * 300  # 302 word pieces with [CLS] and [SEP]


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
    assert pair.post(b'{"model": "all-MiniLM-L6-v2", "input": "\\ud800"}').status_code == 400


def test_keys_embed_with_the_models_they_may_use(pair: Pair) -> None:
    body = {"model": OWN_EMBEDDER, "input": "a"}
    assert pair.post(body, pair.key(models=["all-*"])).status_code == 200
    for key in (pair.key(models=["small"]), pair.key(prompts=["answer"])):
        refused = pair.post(body, key)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    assert pair.post(body, "tg_nobody").status_code == 401
    assert pair.post(body | {"model": "unknown"}).json()["error"]["code"] == "model_not_found"


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
