"""Completions on a real vLLM: what it says to a raw prompt is what the gateway's client reads, whole and streamed."""

from typing import Any

import httpx2
import pytest
from openai import OpenAI
from openai.types import Completion

from tests.gateway.api.conftest import Gateway
from tests.gateway.api.raw_prompts import SKIP

ASKED: list[dict[str, Any]] = [
    {},
    {"logprobs": 2},
    {"logprobs": 0},
    {"n": 2, "seed": 1, "temperature": 1},
    {"stop": [" "], "max_tokens": 20},
    {"extra_body": {"structured_outputs": {"regex": "[0-3]{3}"}}},
    {"prompt": "naïve 日本語 👩\u200d🚀 <|im_start|>\u2028", "logprobs": 5},
]


@pytest.mark.parametrize("asked", ASKED)
def test_a_client_cannot_tell_it_from_the_engine(real: Gateway, engine: str, asked: dict[str, Any]) -> None:
    body: dict[str, Any] = {"prompt": "Once upon", "max_tokens": 5, "temperature": 0} | asked
    theirs = OpenAI(base_url=f"{engine}/v1", api_key="none", http_client=httpx2.Client(trust_env=False))
    ours = real.openai()
    expected = theirs.completions.create(model="tiny", **body)
    body["extra_body"] = SKIP | body.get("extra_body", {})
    whole = ours.completions.create(model="small", **body)
    streamed = list(ours.completions.create(model="small", **body, stream=True))
    assert expected.usage
    assert whole.usage
    assert choices(whole) == choices(expected)
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (
        expected.usage.prompt_tokens, expected.usage.completion_tokens,
    )  # fmt: skip
    assert whole.model_dump()["gateway"]["tokens"]["input"] == expected.usage.prompt_tokens
    for choice in expected.choices:
        said = [c.choices[0] for c in streamed if c.choices[0].index == choice.index]
        assert "".join(c.text for c in said) == choice.text
        assert [c.finish_reason for c in said if c.finish_reason] == [choice.finish_reason]
        tokens = [token for c in said if c.logprobs for token in c.logprobs.tokens or ()]
        assert tokens == ((choice.logprobs.tokens if choice.logprobs else None) or [])


def choices(answer: Completion) -> list[Any]:
    said = answer.model_dump(include={"choices": {"__all__": {"index", "text", "finish_reason", "logprobs"}}})
    chosen: list[Any] = said["choices"]
    for choice in chosen:
        for name in ("token_logprobs", "top_logprobs"):  # a batch of another size sums in another order
            (choice["logprobs"] or {}).pop(name, None)
    return chosen
