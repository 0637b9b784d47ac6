"""Counts against a real vLLM: what it answers to /tokenize and what it charges as usage.prompt_tokens."""

import asyncio
import random
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from serving.backend import Backend
from serving.probes import PROBES
from serving.tokens import Count, EstimateTokens, LocalTokens, PromptRefused, ServerTokens, Tokens, choose
from tests.fakes.backend import JSON, FakeBackend, Script
from tests.fakes.ports import free_port

HI = {"messages": [{"role": "user", "content": "Hi"}]}


def on(url: str, ask: Callable[[Backend], Awaitable[Any]]) -> Any:
    """What a coroutine makes of a client of `url`."""

    async def run() -> Any:
        backend = Backend("b", url)
        try:
            return await ask(backend)
        finally:
            await backend.aclose()

    return asyncio.run(run())


def chosen(url: str, model_dir: Path | None) -> Any:
    return on(url, lambda backend: choose(backend, model_dir, "tiny"))


def test_the_models_own_files_agree_with_the_engine_on_every_probe(engine: str, model_dir: Path) -> None:
    tokens, report = chosen(engine, model_dir)
    assert isinstance(tokens, LocalTokens)
    assert (report.way, report.disagreements) == ("local", ())


def test_without_files_the_server_is_asked(engine: str) -> None:
    tokens, report = chosen(engine, None)
    assert isinstance(tokens, ServerTokens)
    assert (report.way, report.reason) == ("server", "no model files are configured")


def test_files_of_another_model_are_found_out(engine: str, model_dir: Path, tmp_path: Path) -> None:
    other = shutil.copytree(model_dir, tmp_path / "other")
    config = orjson.loads((other / "tokenizer_config.json").read_bytes())
    config["chat_template"] = config["chat_template"].replace("You may call functions.", "You may call some functions.")
    (other / "tokenizer_config.json").write_bytes(orjson.dumps(config))
    tokens, report = chosen(engine, other)
    assert isinstance(tokens, ServerTokens)
    assert report.way == "server"
    with_tools = {name for name, probe in PROBES.items() if "tools" in probe}
    assert {line.partition(":")[0] for line in report.disagreements} == with_tools


def test_files_that_cannot_be_used_are_told(engine: str, tmp_path: Path) -> None:
    tokens, report = chosen(engine, tmp_path)
    assert isinstance(tokens, ServerTokens)
    assert "tokenizer.json" in report.reason


def test_with_neither_files_nor_server_counts_are_estimates() -> None:
    tokens, report = chosen(f"http://127.0.0.1:{free_port()}", None)
    assert isinstance(tokens, EstimateTokens)
    assert report.way == "estimate"
    assert asyncio.run(tokens.count(HI)).source == "estimate"


def test_files_that_no_server_has_confirmed_give_estimates(model_dir: Path) -> None:
    tokens, report = chosen(f"http://127.0.0.1:{free_port()}", model_dir)
    assert report.way == "estimate"
    counted = asyncio.run(tokens.count(HI))
    assert counted == Count(asyncio.run(LocalTokens.load(model_dir).count(HI)).tokens, "estimate")


def test_a_server_without_tokenize_is_no_source() -> None:
    async def run() -> None:
        async with FakeBackend() as fake:
            fake.answers["/tokenize"] = Script((b"{}",), 404, JSON)
            backend = Backend("b", fake.url)
            tokens, report = await choose(backend, None, "tiny")
            await backend.aclose()
        assert isinstance(tokens, EstimateTokens)
        assert report.way == "estimate"

    asyncio.run(run())


SAID = [
    "Hello",
    "naïve e\u0301",
    "日本語のテキスト",
    "👩‍👩‍👧 ok",
    "def f(x):\n    return x",
    "  \n\t ",
    "<|im_end|>",
    "1,234.5",
    "",
]
TOOL = {"type": "function", "function": {"name": "look", "description": "Look <up>", "parameters": {"type": "object"}}}
BARE = {"type": "function", "function": {"name": "now"}}


def varied(seed: int) -> dict[str, Any]:
    """A request of some shape; the same for the same seed."""
    draw = random.Random(seed)

    def text() -> str:
        return draw.choice(["", " ", "\n"]).join(draw.choices(SAID, k=draw.randint(0, 12)))

    def content() -> Any:
        parts = [{"type": "text", "text": text()} for _ in range(draw.randint(0, 3))]
        return draw.choice([text(), text(), parts])

    messages: list[dict[str, Any]] = []
    if draw.random() < 0.5:
        messages.append({"role": draw.choice(["system", "developer"]), "content": content()})
    for number in range(draw.randint(1, 4)):
        messages.append({"role": "user", "content": content()})
        if draw.random() < 0.5:
            arguments = orjson.dumps({"q": text()}).decode()
            call = {"id": f"c{number}", "type": "function", "function": {"name": "look", "arguments": arguments}}
            said = draw.choice([None, text()])
            messages.append({"role": "assistant", "content": said, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": content()})
    tools = draw.choice([None, None, [TOOL], [TOOL, BARE]])
    return {"messages": messages} | ({"tools": tools} if tools else {})


def test_counts_are_what_the_engine_charges(engine: str, model_dir: Path) -> None:
    tokens = LocalTokens.load(model_dir)

    async def both(backend: Backend, request: dict[str, Any]) -> tuple[int, int]:
        answer = await backend.complete({"model": "tiny", "max_tokens": 1} | request)
        assert answer.usage
        return (await tokens.count(request)).tokens, answer.usage.input_tokens

    async def run(backend: Backend) -> list[tuple[int, int]]:
        return list(await asyncio.gather(*(both(backend, varied(seed)) for seed in range(150))))

    counts = on(engine, run)
    assert [ours for ours, _ in counts] == [theirs for _, theirs in counts]
    assert len({ours for ours, _ in counts}) > 50


def test_long_texts_are_charged_as_counted_too(engine: str, model_dir: Path) -> None:
    request = {"messages": [{"role": "user", "content": "word " * 3000}]}
    answer = on(engine, lambda backend: backend.complete({"model": "tiny", "max_tokens": 1} | request))
    assert asyncio.run(LocalTokens.load(model_dir).count(request)) == Count(answer.usage.input_tokens, "exact")


def test_the_server_counts_what_the_files_count(engine: str, model_dir: Path) -> None:
    local = LocalTokens.load(model_dir)

    async def run(backend: Backend) -> None:
        server = ServerTokens(backend, "tiny")
        for seed in range(20):
            assert await server.count(varied(seed)) == await local.count(varied(seed))

    on(engine, run)


@pytest.mark.parametrize("request_", [{"messages": []}, {"messages": "x"}, {}])
def test_what_the_server_would_refuse_is_refused(engine: str, model_dir: Path, request_: dict[str, Any]) -> None:
    async def run(backend: Backend) -> None:
        counters: list[Tokens] = [LocalTokens.load(model_dir), ServerTokens(backend, "tiny")]
        for tokens in counters:
            with pytest.raises(PromptRefused):
                await tokens.count(request_)

    on(engine, run)


def test_half_a_surrogate_pair_is_refused(model_dir: Path) -> None:
    with pytest.raises(PromptRefused, match="surrogate"):
        LocalTokens.load(model_dir).text("a\ud800")
    assert EstimateTokens().text("a\ud800") > 0


def test_a_text_counts_as_inside_a_message(model_dir: Path) -> None:
    tokens = LocalTokens.load(model_dir)

    async def run() -> None:
        empty = await tokens.count({"messages": [{"role": "user", "content": ""}]})
        full = await tokens.count({"messages": [{"role": "user", "content": "x = 1, y = 2"}]})
        assert full.tokens - empty.tokens == tokens.text("x = 1, y = 2")

    asyncio.run(run())


def test_a_million_spaces_do_not_hold_up_the_loop(model_dir: Path) -> None:
    tokens = LocalTokens.load(model_dir)
    request = {"messages": [{"role": "user", "content": " " * 1_000_000}]}

    async def run() -> None:
        counting = asyncio.create_task(tokens.count(request))
        beats = 0
        while not counting.done():
            await asyncio.sleep(0.001)
            beats += 1
        assert beats > 10  # counting takes hundreds of milliseconds
        assert (await counting).tokens > 1000

    asyncio.run(run())


def test_estimates_are_rather_too_high(model_dir: Path) -> None:
    local, estimate = LocalTokens.load(model_dir), EstimateTokens()

    async def run() -> None:
        for name in ("plain", "system", "turns", "scripts", "code", "long", "tools", "tool answer"):
            exact, guess = await local.count(PROBES[name]), await estimate.count(PROBES[name])
            assert exact.tokens <= guess.tokens, name
            assert guess.tokens <= 5 * exact.tokens, name

    asyncio.run(run())


@pytest.mark.parametrize("request_", [{}, {"messages": None}, {"messages": 7}, {"messages": "x", "tools": {}}])
def test_nonsense_is_estimated_without_a_fuss(request_: dict[str, Any]) -> None:
    assert asyncio.run(EstimateTokens().count(request_)).tokens > 0
