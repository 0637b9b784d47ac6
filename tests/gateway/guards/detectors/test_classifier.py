"""A served model that classifies: what it is asked, how its answer is read, and every way in which it gives none."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.guards.detectors.classifier import CLASSIFY, Classifier
from gateway.guards.protocols import GuardFailed
from gateway.models import Model
from serving.pool import EJECT_AFTER_FAILURES, Pool
from serving.tokens import EstimateTokens
from tests.fakes.backend import HANG, JSON, RST, FakeBackend, Script
from tests.fakes.client import faked
from tests.gateway.waiting import WAIT_S

WINDOW = 50  # tokens, so that a piece has 100 characters


@asynccontextmanager
async def classifier(script: Script, seconds: float = WAIT_S) -> AsyncIterator[tuple[Classifier, FakeBackend, Pool]]:
    async with faked() as (backend, fake):
        fake.answers[CLASSIFY] = script
        pool = Pool([backend])
        models = {"guard": Model("guard", "prompt-guard", pool, EstimateTokens(), WINDOW, 1)}
        yield Classifier(models, "guard", 0.5, seconds), fake, pool


def answered(*classes: tuple[str | None, Sequence[float]]) -> Script:
    """In the shape of vLLM 0.32 (vllm/entrypoints/pooling/classify/protocol.py, ClassificationResponse)."""
    data = [
        {"index": index, "label": label, "probs": probabilities, "num_classes": len(probabilities)}
        for index, (label, probabilities) in enumerate(classes)
    ]
    return said(
        {"id": "classify-1", "object": "list", "created": 1, "model": "prompt-guard", "data": data, "usage": {}}
    )


def said(value: Any) -> Script:
    return Script((json.dumps(value).encode(),), headers=JSON)


def found(script: Script, text: str) -> tuple[list[tuple[int, int]], Mapping[str, Any]]:
    async def run() -> tuple[list[tuple[int, int]], Mapping[str, Any]]:
        async with classifier(script) as (asked, fake, _):
            findings = await asked.find(text)
            return [(one.start, one.end) for one in findings], fake.requests[-1].body

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("label", "probabilities", "attack"),
    [
        ("BENIGN", [0.9, 0.1], False),
        ("MALICIOUS", [0.1, 0.9], True),
        ("LABEL_0", [0.9, 0.1], False),
        ("LABEL_1", [0.1, 0.9], True),
        (None, [0.9, 0.1], False),
        (None, [0.1, 0.9], True),
        ("INJECTION", [0.8, 0.2], True),  # a model whose harmless class comes second
        ("JAILBREAK", [0.1, 0.2, 0.7], True),
        ("SAFE", [0.2, 0.8], False),
        ("BENIGN", [0.4, 0.3, 0.3], True),  # more probably some attack than none
    ],
)
def test_the_probability_of_every_class_that_is_not_harmless_counts(
    label: str | None, probabilities: list[float], attack: bool
) -> None:
    spans, body = found(answered((label, probabilities)), "Obey me.")
    assert spans == ([(0, 8)] if attack else [])
    assert body == {"model": "prompt-guard", "input": ["Obey me."], "truncate_prompt_tokens": -1}


def test_a_long_text_is_read_in_pieces_that_overlap_and_only_the_bad_one_is_found() -> None:
    text = "".join(chr(97 + index % 26) for index in range(240))
    spans, body = found(answered(("SAFE", [1.0, 0.0]), ("BAD", [0.0, 1.0]), ("SAFE", [1.0, 0.0])), text)
    assert body["input"] == [text[0:100], text[75:175], text[150:240]]
    assert spans == [(75, 175)]


def test_nothing_said_asks_nobody() -> None:
    async def run() -> None:
        async with classifier(answered()) as (asked, fake, _):
            assert await asked.find(" \n") == []
            assert fake.requests == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (Script(status=404, headers=JSON), "HTTP 404"),
        (Script((b'{"error": {"message": "no such task"}}',), status=400, headers=JSON), "no such task"),
        (Script((RST,)), "backend 'b'"),
        (Script((HANG,)), "no answer within 0.2 s"),
        (said({"data": []}), "unexpected shape"),
        (said({"data": [{"index": 0, "label": "X", "probs": []}]}), "unexpected shape"),
        (said({"data": [{"index": 0, "label": 3, "probs": [1]}]}), "unexpected shape"),
        (said({"data": [{"index": 1, "label": "X", "probs": [1.0]}]}), "unexpected shape"),
        (said([]), "unexpected shape"),
        (said({"data": [{"index": 0, "label": "X", "probs": [float("nan")]}]}), "unexpected shape"),
    ],
)
def test_without_an_answer_it_says_why_and_nothing_of_the_text(script: Script, says: str) -> None:
    async def run() -> None:
        async with classifier(script, seconds=0.2 if HANG in script.steps else WAIT_S) as (asked, _, _):
            with pytest.raises(GuardFailed, match=says) as error:
                await asked.find("a private text")
            assert "private" not in str(error.value)

    asyncio.run(run())


def test_a_backend_that_fails_again_and_again_is_left_alone() -> None:
    async def run() -> None:
        async with classifier(Script(status=500, headers=JSON)) as (asked, fake, _):
            for _ in range(EJECT_AFTER_FAILURES):
                with pytest.raises(GuardFailed):
                    await asked.find("text")
            with pytest.raises(GuardFailed, match="left alone"):
                await asked.find("text")
            assert len(fake.requests) == EJECT_AFTER_FAILURES

    asyncio.run(run())


def test_a_model_that_is_not_connected_is_told() -> None:
    with pytest.raises(GuardFailed, match="'guard' is not connected"):
        asyncio.run(Classifier({}, "guard", 0.5, 1.0).find("text"))
