"""Models and their backends in any order of start: an alias is there once a backend has said what it serves."""

import asyncio
import json
from typing import Any

import pytest

from gateway import connect
from gateway.connect import Models
from gateway.settings import Settings, SettingsError
from tests.conftest import TINY_MODEL
from tests.fakes.backend import HANG, JSON, FakeBackend, Script
from tests.gateway.waiting import until

GONE = "http://127.0.0.1:9"  # the discard port: nothing listens


def settings(*urls: str, **model: Any) -> Settings:
    """One alias on these backends."""
    backends = {f"b{number}": {"url": url} for number, url in enumerate(urls)}
    return Settings.model_validate({"backends": backends, "models": {"small": {"backends": [*backends]} | model}})


def connected(*extra: str, fake: FakeBackend | None = None, **model: Any) -> tuple[Models, list[str]]:
    """The models after one try at a scripted backend, and their faults."""

    async def run() -> tuple[Models, list[str]]:
        async with fake or FakeBackend() as backend:
            models = Models(settings(*extra, backend.url, **model))
            await models.connect()
            faults = models.faults()
            await models.aclose()
            return models, faults

    return asyncio.run(run())


def test_an_alias_is_what_its_backend_serves() -> None:
    models, faults = connected()
    model = models["small"]
    assert (model.alias, model.served, model.window, model.max_output) == ("small", "tiny", 4096, 512)
    assert (list(models), len(models), faults) == (["small"], 1, [])


def test_what_the_settings_say_wins() -> None:
    models, _ = connected(window=100, max_output=7, served="tiny")
    assert (models["small"].window, models["small"].max_output) == (100, 7)


def test_one_of_several_backends_is_enough() -> None:
    models, faults = connected(GONE)
    assert ("small" in models, faults) == (True, [])
    assert [backend.name for backend in models["small"].pool.backends] == ["b0", "b1"]


def listing(*entries: dict[str, Any]) -> FakeBackend:
    fake = FakeBackend()
    fake.answers["/v1/models"] = Script((json.dumps({"data": entries}).encode(),), headers=JSON)
    return fake


@pytest.mark.parametrize(
    ("fake", "model", "fault"),
    [
        (listing({"id": "tiny", "max_model_len": 8}), {"served": "huge"}, "does not serve 'huge'; it serves ['tiny']"),
        (listing(), {}, "does not serve None; it serves []"),
        (listing({"id": "tiny"}), {}, "does not tell its window; set [models.small] window"),
    ],
)
def test_an_alias_that_cannot_be_says_what_to_change(fake: FakeBackend, model: dict[str, Any], fault: str) -> None:
    models, faults = connected(fake=fake, **model)
    assert "small" not in models
    assert len(faults) == 1
    assert fault in faults[0]


def test_a_backend_that_comes_later_is_found_by_itself() -> None:
    async def run() -> None:
        fake = FakeBackend()
        fake.answers["/v1/models"] = Script(status=503, headers=JSON)
        async with fake:
            models = Models(settings(fake.url))
            await models.connect()
            assert models.faults() == ["model 'small': backend 'b0': the backend is full (HTTP 503)"]
            fake.answers["/v1/models"] = FakeBackend().answers["/v1/models"]
            await until(lambda: "small" in models)
            assert models.faults() == []
            await models.aclose()

    asyncio.run(run())


def test_a_backend_that_hangs_does_not_keep_the_start_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "FIRST_S", 0.1)

    async def run() -> None:
        fake = FakeBackend()
        told, fake.answers["/v1/models"] = fake.answers["/v1/models"], Script((HANG,))
        async with fake:
            models = Models(settings(fake.url))
            await asyncio.wait_for(models.connect(), 30)
            assert models.faults() == ["model 'small': not tried yet"]
            await models.aclose()
            fake.answers["/v1/models"] = told

    asyncio.run(run())


def test_tokens_are_counted_by_files_that_the_server_confirms_and_else_by_the_server() -> None:
    """The scripted server counts 13 tokens whatever it is asked, which no real vocabulary does."""
    models, _ = connected(tokenizer=TINY_MODEL)
    assert type(models["small"].tokens).__name__ == "ServerTokens"


def test_estimates_give_way_once_the_server_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "AGAIN_S", 0.01)

    async def run() -> None:
        fake = FakeBackend()
        told = fake.answers.pop("/tokenize")
        async with fake:
            models = Models(settings(fake.url))
            await models.connect()
            assert type(models["small"].tokens).__name__ == "EstimateTokens"
            fake.answers["/tokenize"] = told
            await until(lambda: type(models["small"].tokens).__name__ == "ServerTokens")
            await models.aclose()

    asyncio.run(run())


def test_a_backends_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    named = settings(GONE)
    with_key = named.model_copy(
        update={"backends": {"b0": named.backends["b0"].model_copy(update={"api_key_env": "A_KEY"})}}
    )
    monkeypatch.delenv("A_KEY", raising=False)
    with pytest.raises(SettingsError, match="A_KEY"):
        Models(with_key)
