"""Cut prompts on a real vLLM: what was counted is what the engine counts, and its window takes it."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange import Call, Retrieval
from tests.conftest import TINY_MODEL
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, on_engine
from tests.gateway.calls import call, template
from tests.gateway.truncation.counters import conversation, said
from tests.gateway.waiting import waited

WINDOW, ANSWER = 1500, 24


@pytest.fixture(scope="module", params=["files", "server"])
def served(
    request: pytest.FixtureRequest, engine: str, docs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Assembled]:
    """A gateway on the engine that counts with the model's own files, and one that asks the engine."""
    tokenizer = {"tokenizer": TINY_MODEL} if request.param == "files" else {}
    sections: dict[str, Any] = {
        "models": {"small": {"backends": ["engine"], "window": WINDOW} | tokenizer},
        "retrieve": {"docs": {"path": docs, "floor": 0.0, "max_tokens": 400}},
    }
    with running(on_engine(engine, tmp_path_factory.mktemp("served"), **sections)) as gateway:
        waited(lambda: "small" in gateway.runtime.models)
        yield gateway


def long(seed: int) -> Call:
    """One that is cut: a conversation with or without passages, a template with a long variable, or a raw prompt."""
    rng = random.Random(seed)
    common: dict[str, Any] = {
        "fields": {"max_tokens": ANSWER, "temperature": 0}, "on_length": "return",
        "truncate": ("oldest", "middle")[seed % 2] if seed % 4 < 2 else "middle",
    }  # fmt: skip
    history = (
        *conversation(rng, 9)[:-1],
        *({"role": role, "content": said(rng, 500)} for role in ("user", "assistant")),
    )
    match seed % 4:
        case 0 | 1:
            asked = {"role": "user", "content": "What does the KV cache do?"}
            retrieve = Retrieval("docs", 3) if seed % 8 < 4 else None
            return call(messages=(*history, asked), retrieve=retrieve, **common)
        case 2:
            long = template("classify-ticket", ticket=said(rng, 900)[:3900])
            return call(**long | {"model": "small", "messages": history}, **common)
    return replace(call(None, **common), text=said(rng, 3000))


@pytest.mark.parametrize("seed", range(8))
def test_what_was_cut_is_as_long_as_the_engine_counts(served: Assembled, seed: int) -> None:
    outcome = served.ask(long(seed))
    usage, told = outcome.closed.completion.usage, outcome.closed.gateway
    assert usage is not None
    assert sum(told["truncated"].values()) > 0
    assert told["tokens"] | {"source": "exact"} == told["tokens"]
    assert told["tokens"]["input"] == usage.input_tokens <= WINDOW - ANSWER
    assert usage.input_tokens >= 0.95 * (WINDOW - ANSWER)
