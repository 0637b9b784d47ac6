"""`tollgate tokens FILE...`: how many tokens a text is to a model, and what they cost as input, before it is sent."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, show
from gateway.connect import Models
from gateway.prices import Prices, usd
from gateway.settings import Settings
from serving.backend import Backend
from serving.errors import BackendError
from serving.events import Usage
from serving.tokens import Count, EstimateTokens, LocalTokens, PromptRefused

Files = Annotated[list[Path], typer.Argument(help="Text files; - reads standard input.")]
Model = Annotated[str | None, typer.Option(help="An alias; default: every one of the settings.")]


def tokens(
    files: Files, model: Model = None, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False
) -> None:
    """Count the tokens of texts, and price them, per model."""
    settings = settings_of(config, state)
    if model is not None and model not in settings.models:
        raise Failure(f"there is no model {model!r} in the settings; known: {', '.join(settings.models) or 'none'}")
    texts = {str(file): _read(file) for file in files}
    show(asyncio.run(_rows(settings, [model] if model else list(settings.models), texts)), as_json)


async def _rows(settings: Settings, aliases: list[str], texts: dict[str, str]) -> list[dict[str, Any]]:
    connected, prices = Models(settings), Prices(settings.prices)
    try:
        rows = []
        for alias in aliases:
            section = settings.models[alias]
            backend = connected.backends[section.backends[0]]
            for name, text in texts.items():
                count = await _count(text, section.tokenizer, backend, section.served)
                cost = usd(prices.cost(alias, Usage(count.tokens)))
                rows.append(
                    {"file": name, "model": alias, "tokens": count.tokens, "source": count.source, "cost_usd": cost}
                )
        return rows
    finally:
        await connected.aclose()


async def _count(text: str, model_dir: Path | None, backend: Backend, served: str | None) -> Count:
    """By the model's own files, else by its server, else a guess that says so."""
    try:
        if model_dir:
            return Count(LocalTokens.load(model_dir).text(text), "exact")
        body = {"prompt": text, "add_special_tokens": False} | ({"model": served} if served else {})
        return Count(await backend.tokenize(body), "exact")
    except (OSError, ValueError, PromptRefused) as error:
        raise Failure(f"the tokens cannot be counted: {error}") from error
    except BackendError:
        return Count(EstimateTokens().text(text), "estimate")


def _read(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read as UTF-8 text: {error}") from error
