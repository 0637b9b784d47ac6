"""The scripted backend tells the truth about vLLM: its normal answer has the shape of a recorded one."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2

from serving.backend import Backend
from serving.decode import Decoder
from tests.fakes.backend import CHAT, FakeBackend

RECORDED = Path(__file__).parent / "transcripts" / "vllm-0.32.0-chat.sse"


def shape(value: Any) -> Any:
    """Keys and kinds of a JSON value, without what it says; numbers are one kind."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def shapes(stream: bytes) -> list[Any]:
    """The kinds of chunks in a stream, in order, each named once."""
    found: list[Any] = []
    for payload in Decoder().feed(stream):
        kind = payload.decode() if payload == b"[DONE]" else shape(json.loads(payload))
        if kind not in found:
            found.append(kind)
    return found


def fake_stream() -> bytes:
    return b"".join(step for step in CHAT.steps if isinstance(step, bytes))


def test_the_normal_answer_has_the_shape_of_the_recorded_one() -> None:
    assert shapes(fake_stream()) == shapes(RECORDED.read_bytes())


def test_the_recorded_one_is_what_the_engine_sends(engine: str) -> None:
    """A new vLLM whose stream looks different must be recorded anew, and the scripted backend follow it."""

    async def run() -> bytes:
        body = {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3, "min_tokens": 3}
        asked = {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            return (await client.post(f"{engine}/v1/chat/completions", json=body | asked)).content

    assert shapes(asyncio.run(run())) == shapes(RECORDED.read_bytes())


def test_it_records_what_was_asked_and_written() -> None:
    async def run() -> None:
        async with FakeBackend() as fake:
            backend = Backend("b", fake.url)
            await backend.complete({"model": "tiny", "messages": []})
            await backend.aclose()
            (seen,) = fake.requests
            assert seen.body["stream"] is True
            assert seen.written == len(fake_stream())
            assert not seen.left_early

    asyncio.run(run())
