"""`tollgate tokens FILE...`: how many tokens a text is to a model, and what they cost as input, before it is sent.

Several files are compared with the first: a verbose prompt and its compact form, a table as JSON and as CSV.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, show, text_of
from gateway.connect import Models
from gateway.prices import Prices, usd
from gateway.settings import Settings
from serving.backend import Backend
from serving.errors import BackendError
from serving.events import Usage
from serving.tokens import Count, EstimateTokens, LocalTokens, PromptRefused

Files = Annotated[list[Path], typer.Argument(help="Text files; - reads standard input.")]
Model = Annotated[str | None, typer.Option(help="An alias; default: every one of the settings.")]
Tokenizers = Annotated[
    list[Path] | None, typer.Option("--tokenizer", help="Folder of another model's files, to count with too; repeat.")
]
Counter = Callable[[str], Coroutine[Any, Any, Count]]


def tokens(
    files: Files,
    model: Model = None,
    tokenizer: Tokenizers = None,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Count the tokens of texts, and price them, per model; `of_first` compares each text with the first."""
    settings = settings_of(config, state)
    if model is not None and model not in settings.models:
        raise Failure(f"there is no model {model!r} in the settings; known: {', '.join(settings.models) or 'none'}")
    texts = {str(file): text_of(file) for file in files}
    show(asyncio.run(_rows(settings, [model] if model else list(settings.models), tokenizer or [], texts)), as_json)


async def _rows(
    settings: Settings, aliases: list[str], tokenizers: list[Path], texts: Mapping[str, str]
) -> list[dict[str, Any]]:
    connected, prices = Models(settings), Prices(settings.prices)
    try:
        rows: list[dict[str, Any]] = []
        for name, count in _counters(settings, connected, aliases, tokenizers).items():
            rows += await _counted(name, count, prices, texts)
        return rows
    finally:
        await connected.aclose()


def _counters(settings: Settings, connected: Models, aliases: list[str], tokenizers: list[Path]) -> dict[str, Counter]:
    """What counts, by the name that it has in the table: an alias, or the folder of a tokenizer."""
    counters: dict[str, Counter] = {}
    for alias in aliases:
        section = settings.models[alias]
        backend = connected.backends[section.backends[0]]
        own = section.tokenizer
        counters[alias] = partial(_by_files, own) if own else partial(_by_server, backend, section.served)
    return counters | {str(folder): partial(_by_files, folder) for folder in tokenizers}


async def _counted(name: str, count: Counter, prices: Prices, texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row for each text; `of_first` is its tokens for each one of the first text, None where that has none."""
    counts = {file: await count(text) for file, text in texts.items()}
    first = next(iter(counts.values())).tokens
    return [
        {
            "file": file,
            "model": name,
            "tokens": counted.tokens,
            "source": counted.source,
            "cost_usd": usd(prices.cost(name, Usage(counted.tokens))),
            "characters": len(texts[file]),
            "of_first": round(counted.tokens / first, 4) if first else None,
        }
        for file, counted in counts.items()
    ]


async def _by_files(folder: Path, text: str) -> Count:
    try:
        return Count(LocalTokens.load(folder).text(text), "exact")
    except (OSError, ValueError, PromptRefused) as error:
        raise Failure(f"the tokens cannot be counted with {folder}: {error}") from error


async def _by_server(backend: Backend, served: str | None, text: str) -> Count:
    """By the server, else a guess that says so."""
    body = {"prompt": text, "add_special_tokens": False} | ({"model": served} if served else {})
    try:
        return Count(await backend.tokenize(body), "exact")
    except BackendError:
        return Count(EstimateTokens().text(text), "estimate")
